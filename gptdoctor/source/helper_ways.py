"""The ways of a value across helpers: into what a function of the project returns, and out again
by its arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_calls import networks_at
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.temperature import Frame
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import MOST, Follow, Way, ways_of

# The stretches of one way, each in its function; the last one ends where the value begins.
Path = list[tuple[Way, Function]]
DEEPEST = 3  # helpers inside of helpers


def paths_of(
    frame: Frame, value: ast.expr, follow: Follow, *, scaled: bool = False, depth: int = 0
) -> list[Path]:
    """All ways that a value may have come, helpers included, or [] where they are not known."""
    found: list[Path] = []
    for way in ways_of(value, frame.function, follow, scaled=scaled):
        here = (way, frame.function)
        further = list(_further(frame, way, follow, scaled, depth)) if depth < DEEPEST else []
        found.extend([here, *path] for path in further)
        if not further:
            found.append([here])
    return found if len(found) <= MOST else []


def _further(frame: Frame, way: Way, follow: Follow, scaled: bool, depth: int) -> Iterator[Path]:
    """The paths on which a way goes on behind its beginning."""
    if way.argument:
        given = frame.argument(way.argument)
        if given is not None and frame.caller is not None:
            yield from paths_of(frame.caller, given, follow, scaled=scaled, depth=depth + 1)
        return
    call = way.source
    inner = _entering(frame, call) if isinstance(call, ast.Call) else None
    if inner is None or (way.binding is not None and way.binding.role is not Role.ITEM):
        return
    for value in inner.function.returned:
        part = _part(value, way.binding)
        if part is not None:
            yield from paths_of(inner, part, follow, scaled=scaled, depth=depth + 1)


def _part(value: ast.expr, item: Binding | None) -> ast.expr | None:
    """What a name gets of what is returned: all of it, or one of several."""
    several = value.elts if isinstance(value, ast.Tuple) else []
    if item is None:
        return None if several else value
    index = item.index or 0
    return several[index] if index < len(several) else None


def _entering(frame: Frame, call: ast.Call) -> Frame | None:
    """The function that a call runs: a helper, or the forward pass of a network in sight."""
    callee = callee_of(frame.project, frame.function, call)
    callee = callee or _forward(frame, call.func)
    return None if callee is None else Frame(frame.project, callee, call, frame)


def _forward(frame: Frame, called: ast.expr) -> Function | None:
    function, project = frame.function, frame.project
    kinds: frozenset[ClassInfo] | set[ClassInfo] = networks_at(project, called, function)
    if isinstance(called, ast.Name):
        bound = bound_to(called, function)
        name = function.module.names.called(bound) if bound is not None else None
        info = project.class_named(name, function.module) if name else None
        if called.id == "self":
            info = function.owner
        kinds = {info} if info is not None else kinds
    infos = [one for one in kinds if "forward" in one.methods]
    if len(kinds) != 1 or not infos:
        return None
    return functions_of(project, infos[0].module).get(infos[0].methods["forward"])
