"""Where the time of a scan goes: read, filter, parse, tables, walk, and the rules by code."""

from __future__ import annotations

import ast
import gc
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from gptdoctor.defect import Visit
from gptdoctor.dispatch import all_rules
from gptdoctor.scan import TORCH_BYTES
from gptdoctor.scan_file import main_models
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.walk import walk, ways_for

Result = TypeVar("Result")


class Parts:
    """A scan of one process, taken apart."""

    def __init__(self, root: Path) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._project = Project(root=root, search_paths=tuple(map(Path, filter(None, sys.path))))
        self._rules = self._timed("loading the rules", all_rules)
        self._ways = ways_for(self._rules.kinds)

    def scan(self, file: Path) -> None:
        """Scan one file, with a look at the clock between all steps."""
        data = self._timed("reading", file.read_bytes)
        if not self._timed("the byte filter", lambda: TORCH_BYTES.search(data)):
            return
        # Parsed once more than needed, to tell it from what the project does beside.
        self._timed("`ast.parse` alone, of what passes", lambda: _parsed(data))
        module = self._timed("parsing, files that others ask for included", self._reader(file))
        if not isinstance(module, SourceModule):
            return
        table = self._timed("tables of handlers", lambda: self._rules.table(self._project, module))
        hits = self._timed("the walk", lambda: walk(module.tree, table, self._ways))
        for node, chain, handlers in hits:
            visit = Visit(
                project=self._project,
                module=module,
                chain=chain,
                models=lambda: main_models(self._project, module),
            )
            for handler in handlers:
                self._timed(handler.rule, _asker(handler.judge, node, visit))

    def _reader(self, file: Path) -> Callable[[], object]:
        return lambda: self._project.read(file)

    def _timed(self, part: str, work: Callable[[], Result]) -> Result:
        started = time.process_time()
        result = work()
        self.seconds[part] += time.process_time() - started
        return result


def _asker(
    judge: Callable[..., Iterator[object]], node: ast.AST, visit: Visit
) -> Callable[[], int]:
    def ask() -> int:
        try:
            return len(list(judge(node, visit)))
        except RecursionError:
            return 0

    return ask


def _parsed(data: bytes) -> ast.AST | None:
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parts_of(tree: Path, files: list[Path]) -> list[tuple[str, float]]:
    """The seconds of each part, steps first and then the rules, dearest first."""
    gc.disable()
    parts = Parts(tree.parents[1])
    for file in sorted(files):
        parts.scan(file)
    gc.enable()
    rules = [part for part in parts.seconds if part.startswith("GD")]
    steps = [part for part in parts.seconds if not part.startswith("GD")]
    ordered = [*steps, *sorted(rules, key=lambda rule: -parts.seconds[rule])]
    return [(part, parts.seconds[part]) for part in ordered]
