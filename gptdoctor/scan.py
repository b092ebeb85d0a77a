"""The static scan: one walk of each tree, every defect's handlers on the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Suspicion
from gptdoctor.defect import SuspectHandler, Visit
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# Every rule speaks of torch code, and such code names torch or a module class somewhere; a file
# that gets everything from a star import still subclasses a Module or names its logits.
TORCH_TEXT = re.compile(r"torch|Module|logits")

Dispatch = Mapping[type[ast.AST], tuple[SuspectHandler, ...]]


@dataclass(frozen=True, kw_only=True)
class ModelNames:
    """The main models of each file, by the file's path."""

    by_path: Mapping[str, tuple[str, ...]]


def scan(
    project: Project, modules: Iterable[SourceModule], models: ModelNames
) -> Iterator[Suspicion]:
    """All suspicions of `modules`, in the order of the text; each place once for each rule."""
    dispatch = _dispatch()
    for module in modules:
        if TORCH_TEXT.search(module.text):
            yield from scan_module(project, module, models.by_path.get(module.path, ()), dispatch)


def scan_module(
    project: Project, module: SourceModule, models: tuple[str, ...], dispatch: Dispatch
) -> list[Suspicion]:
    """The suspicions of one module, sorted by place."""
    found = {
        (suspicion.rule, suspicion.location): suspicion
        for node, visit in _walk(project, module, models, dispatch)
        for handler in dispatch[type(node)]
        for suspicion in handler(node, visit)
    }
    return sorted(found.values(), key=lambda suspicion: (suspicion.location, suspicion.rule))


def _dispatch() -> Dispatch:
    """The handlers of all defects by the type of node they want."""
    table: dict[type[ast.AST], list[SuspectHandler]] = {}
    for defect in all_defects():
        for kind, handler in defect.suspects.items():
            table.setdefault(kind, []).append(handler)
    return {kind: tuple(handlers) for kind, handlers in table.items()}


def _walk(
    project: Project, module: SourceModule, models: tuple[str, ...], wanted: Dispatch
) -> Iterator[tuple[ast.AST, Visit]]:
    """Every node that some defect wants, with its parents, without recursion."""
    stack: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(module.tree, ())]
    while stack:
        node, parents = stack.pop()
        if type(node) in wanted:
            yield node, Visit(project=project, module=module, parents=parents, models=models)
        below = (*parents, node)
        stack.extend((child, below) for child in ast.iter_child_nodes(node))
