"""The ways of a value across helpers: into what a function of the project returns, and out again
by its arguments.
"""

from __future__ import annotations

import ast

from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_calls import networks_at
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number
from gptdoctor.source.temperature import Frame
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import MOST, Follow, Way, ways_of

# The stretches of one way, each in its function; the last one ends where the value begins.
Path = list[tuple[Way, Function]]
DEEPEST = 6  # ways into helpers and out of them again


def paths_of(
    frame: Frame,
    value: ast.expr,
    follow: Follow,
    *,
    scaled: bool = False,
    entered: tuple[ast.expr, ...] = (),
) -> list[Path]:
    """All ways that a value may have come, helpers included, or [] where they are not known.

    `entered` are the calls and arguments that were gone into: one that comes again is a loop.
    """
    found: list[Path] = []
    for way in ways_of(value, frame.function, follow, scaled=scaled):
        here = (way, frame.function)
        further = _further(frame, way)
        if not further or len(entered) >= DEEPEST:
            found.append([here])
            continue
        for inner, part in further:
            if part is not None and part in entered:
                continue
            rest: list[Path] = []
            if part is not None:
                rest = paths_of(inner, part, follow, scaled=scaled, entered=(*entered, part))
            # Where it cannot be followed further, it begins with the call.
            found.extend([here, *path] for path in rest or [[]])
    return found if len(found) <= MOST else []


def _further(frame: Frame, way: Way) -> list[tuple[Frame, ast.expr | None]]:
    """Where a way goes on behind its beginning; None where nobody knows."""
    if way.argument:
        given = frame.argument(way.argument)
        return [(frame.caller, given)] if given is not None and frame.caller is not None else []
    call = way.source
    inner = _entering(frame, call) if isinstance(call, ast.Call) else None
    if inner is None or (way.binding is not None and way.binding.role is not Role.ITEM):
        return []
    item = way.binding is not None
    index = way.binding.index or 0 if way.binding is not None else None
    last = way.steps[-1] if way.steps and not item else None
    if isinstance(last, ast.Subscript) and last.value is call:
        index = number(last.slice)
    parts = [_part(value, index, item) for value in inner.function.returned]
    return [(inner, part) for part in parts]


def _part(value: ast.expr, index: int | None, item: bool) -> ast.expr | None:
    """What is read of what is returned: all of it, or one of several; an `item` is never all."""
    if not isinstance(value, ast.Tuple):
        return None if item else value
    several = value.elts
    return several[index] if index is not None and -len(several) <= index < len(several) else None


def _entering(frame: Frame, call: ast.Call) -> Frame | None:
    """The function that a call runs: a helper, or the forward pass of a network in sight."""
    callee = callee_of(frame.project, frame.function, call)
    callee = callee or _forward(frame, call.func)
    return None if callee is None else Frame(frame.project, callee, call, frame)


def _forward(frame: Frame, called: ast.expr) -> Function | None:
    function, project = frame.function, frame.project
    kinds: frozenset[ClassInfo] | set[ClassInfo] = networks_at(project, called, function)
    if isinstance(called, ast.Name):
        bound = bound_to(called, function) or _global(called, function)
        name = function.module.names.called(bound) if bound is not None else None
        info = project.class_named(name, function.module) if name else None
        if called.id == "self":
            info = function.owner
        kinds = {info} if info is not None else kinds
    infos = [one for one in kinds if "forward" in one.methods]
    if len(kinds) != 1 or not infos:
        return None
    return functions_of(project, infos[0].module).get(infos[0].methods["forward"])


def _global(name: ast.Name, function: Function) -> ast.expr | None:
    """What a script binds once to a name that a function reads."""
    if function.reaching(name):
        return None
    made = [
        one.value
        for one in function.module.tree.body
        if isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Name)
        and one.targets[0].id == name.id
    ]
    return made[0] if len(made) == 1 else None
