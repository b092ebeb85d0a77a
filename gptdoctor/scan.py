"""The static scan: one walk of each tree, every defect's handlers on the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Suspicion
from gptdoctor.defect import Named, SuspectHandler, Trigger, Visit
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# Every rule speaks of torch code, and such code names torch or a module class somewhere; a file
# that gets everything from a star import still subclasses a Module or names its logits.
TORCH_TEXT = re.compile(r"torch|Module|logits")

# The kind of a node, and its name, or "" for whatever name.
Key = tuple[type[ast.AST], str]
Dispatch = Mapping[Key, tuple[SuspectHandler, ...]]


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
        for node, visit, handlers in _walk(project, module, models, dispatch)
        for handler in handlers
        for suspicion in handler(node, visit)
    }
    return sorted(found.values(), key=lambda suspicion: (suspicion.location, suspicion.rule))


def _dispatch() -> Dispatch:
    """The handlers of all defects by the kind of node they want, or by kind and name."""
    table: dict[Key, list[SuspectHandler]] = {}
    for defect in all_defects():
        for trigger, handler in defect.suspects.items():
            for key in _keys(trigger):
                table.setdefault(key, []).append(handler)
    return {key: tuple(handlers) for key, handlers in table.items()}


def _keys(trigger: Trigger) -> list[Key]:
    if isinstance(trigger, Named):
        return [(trigger.kind, name) for name in trigger.names]
    return [(trigger, "")]


def _walk(
    project: Project, module: SourceModule, models: tuple[str, ...], wanted: Dispatch
) -> Iterator[tuple[ast.AST, Visit, tuple[SuspectHandler, ...]]]:
    """Every node that some defect wants, with its parents, without recursion."""
    stack: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(module.tree, ())]
    while stack:
        node, parents = stack.pop()
        kind = type(node)
        name = _name(node)
        handlers = wanted.get((kind, ""), ()) + (wanted.get((kind, name), ()) if name else ())
        if handlers:
            visit = Visit(project=project, module=module, parents=parents, models=models)
            yield node, visit, handlers
        below = (*parents, node)
        stack.extend((child, below) for child in ast.iter_child_nodes(node))


def _name(node: ast.AST) -> str:
    """The name that a node bears; of a call, the last one of what it calls."""
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(named, ast.Attribute):
        return named.attr
    return getattr(named, "id", None) or getattr(named, "name", None) or ""
