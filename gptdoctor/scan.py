"""The static scan: one walk of each tree, every defect's handlers on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from gptdoctor.core.findings import Suspicion
from gptdoctor.defect import Models, Visit
from gptdoctor.dispatch import Dispatch, Handler, all_rules
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.walk import Hit, Ways, walk, ways_for

# Every rule speaks of torch code, and such code names torch or a module class somewhere; a file
# that gets everything from a star import still subclasses a Module or names its logits.
TORCH_TEXT = re.compile(r"torch|Module|logits")
# The same before a file is decoded; what no bytes of ASCII write, such as UTF-16, is no Python.
TORCH_BYTES = re.compile(TORCH_TEXT.pattern.encode())


@dataclass(frozen=True, kw_only=True)
class ModelNames:
    """The main models of each file: by the file's path, or by a way to find them out."""

    by_path: Mapping[str, tuple[str, ...]]
    found_by: Callable[[SourceModule], tuple[str, ...]] | None = None

    def of(self, module: SourceModule) -> Models:
        """The main models of one file."""
        find = self.found_by
        if find is None:
            return self.by_path.get(module.path, ())

        @cache
        def found() -> tuple[str, ...]:
            return find(module)

        return found


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A rule that raised where it should have judged: a fault of gptdoctor's own."""

    rule: str
    line: int
    error: Exception


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What the text of one module shows."""

    suspicions: tuple[Suspicion, ...]  # sorted by place
    failures: tuple[Failure, ...] = ()


def scan(
    project: Project, modules: Iterable[SourceModule], models: ModelNames
) -> Iterator[Suspicion]:
    """All suspicions of `modules`, in the order of the text; each place once for each rule.

    Raises what a rule raises, where all have been asked.
    """
    for module in modules:
        scanned = scan_module(project, module, models.of(module))
        yield from scanned.suspicions
        for failure in scanned.failures:
            raise failure.error


def scan_module(
    project: Project, module: SourceModule, models: Models, rules: Dispatch | None = None
) -> Scanned:
    """The suspicions of one module; a rule that fails keeps no other from being asked."""
    rules = rules or all_rules()
    if rules.filtering and not TORCH_TEXT.search(module.text):
        return Scanned(suspicions=())
    hits = walk(module.tree, rules.table(project, module), _ways(rules))
    found: dict[tuple[object, ...], Suspicion] = {}
    failures: list[Failure] = []
    for hit in hits:
        visit = Visit(project=project, module=module, chain=hit[1], models=models)
        for handler in hit[2]:
            _ask(handler, hit, visit, found, failures)
    ordered = sorted(found.values(), key=lambda suspicion: (suspicion.location, suspicion.rule))
    return Scanned(suspicions=tuple(ordered), failures=tuple(failures))


def _ask(
    handler: Handler,
    hit: Hit,
    visit: Visit,
    found: dict[tuple[object, ...], Suspicion],
    failures: list[Failure],
) -> None:
    """What one handler says of one node."""
    try:
        for suspicion in handler.judge(hit[0], visit):
            found[suspicion.rule, suspicion.location] = suspicion
    except RecursionError:
        # An expression of a thousand terms, or code nested as deeply: nobody wrote it by hand, and
        # a rule that cannot follow it is silent.
        return
    except Exception as error:
        line = getattr(hit[0], "lineno", 1)
        failures.append(Failure(rule=handler.rule, line=line, error=error))


@lru_cache(maxsize=8)
def _ways(rules: Dispatch) -> Ways:
    return ways_for(rules.kinds)
