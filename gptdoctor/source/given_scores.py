"""What scores are that a network gives, a helper makes, or a caller brings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.activations import layer_kind
from gptdoctor.source.built_values import Built, built_by
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.frames import Frame
from gptdoctor.source.lone_networks import NETWORK, lone_network
from gptdoctor.source.project import Project
from gptdoctor.source.scores import Scores, scores_of
from gptdoctor.source.scripts import sites_of
from gptdoctor.source.unparsed import bases_defining
from gptdoctor.source.value_ways import Way, shaped_from, ways_of

DEEPEST = 4  # calls followed from function to function
ONLY = "forward"  # what runs where a network is called


@dataclass(frozen=True, eq=False)
class Given:
    """Scores, and the function in which they are made."""

    scores: Scores
    function: Function
    here: bool = False  # in the very function that was asked about


# A value, and the function in which it stands.
Placed = tuple[ast.expr, Function]


def scores_given(
    value: ast.expr, function: Function, project: Project, depth: int = 0
) -> Given | None:
    """What a value is, whichever way it came; None where ways differ or lead out of sight."""
    plain = scores_of(value, function)
    if plain is not None:
        return Given(plain, function, here=not depth)
    ways = ways_of(value, function, shaped_from) if depth <= DEEPEST else []
    found = [_begun(one, function, project, depth) for one in ways]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found) or len({one.scores.kind for one in known}) > 1:
        return None
    return known[0]


def _begun(way: Way, function: Function, project: Project, depth: int) -> Given | None:
    """What a way begins as, where that lies behind a call."""
    if way.argument:
        return _agreed(list(_brought(way, function, project)), project, depth)
    if not isinstance(way.source, ast.Call):
        plain = None if way.source is None else scores_of(way.source, function)
        return None if plain is None or way.binding else Given(plain, function)
    if way.binding is None:
        plain = scores_of(way.source, function)
        if plain is not None:
            return Given(plain, function)
    elif way.binding.role is not Role.ITEM:
        return None
    made = [_stacked(one) for one in _builders(way.source, function, project)]
    if made and all(made):
        return made[0] if len({one.scores.kind for one in made if one}) == 1 else None
    results = [_part(one, way) for one in _results(way.source, function, project)]
    known = [one for one in results if one is not None]
    return _agreed(known, project, depth) if len(known) == len(results) else None


def _agreed(values: list[Placed], project: Project, depth: int) -> Given | None:
    found = [scores_given(one, where, project, depth + 1) for one, where in values]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found) or len({one.scores.kind for one in known}) > 1:
        return None
    return known[0]


def _brought(way: Way, function: Function, project: Project) -> Iterator[Placed]:
    """What the callers give for an argument."""
    for site in sites_of(project, function):
        given = site.argument(function, way.argument)
        if given is not None:
            yield given, site.function


def _builders(call: ast.Call, function: Function, project: Project) -> list[Built]:
    """What was built that is called; a layer of the function's own class is known without."""
    return built_by(call.func, function, project)


def _stacked(built: Built) -> Given | None:
    """The scores of a layer of torch's, or of the last one of a Sequential."""
    kind = layer_kind(built.call, built.function)
    return Given(Scores(kind=kind, made=built.call), built.function) if kind else None


def _results(call: ast.Call, function: Function, project: Project) -> list[Placed]:
    """All that a call may give, where the function that it runs is in sight."""
    callees = list(_callees(call, function, project))
    return [(value, callee) for callee in callees for value in callee.returned]


def _callees(call: ast.Call, function: Function, project: Project) -> Iterator[Function]:
    owner, func = function.owner, call.func
    helper = Frame(project, function.module, function).called(call)
    if helper is not None:
        yield helper
    elif isinstance(func, ast.Name) and func.id == "self" and owner is not None:
        yield from _method(owner, ONLY, project)
    else:
        yield from _of_network(func, ONLY, function, project)
        if isinstance(func, ast.Attribute):  # model.predict(x)
            yield from _of_network(func.value, func.attr, function, project)


def networks_called(
    value: ast.expr, function: Function, project: Project
) -> list[ClassInfo]:
    """The networks that a called value may be, where all are in sight."""
    built = built_by(value, function, project)
    found = [_class_of(one, project) for one in built]
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    if not built and NETWORK.search(name):
        found = [lone_network(project, function.module)]
    return [one for one in found if one is not None]


def _of_network(
    value: ast.expr, method: str, function: Function, project: Project
) -> Iterator[Function]:
    """A method of the network that a value is, where it is in sight."""
    for info in networks_called(value, function, project):
        yield from _method(info, method, project)


def _class_of(built: Built, project: Project) -> ClassInfo | None:
    module = built.function.module
    return project.class_named(module.names.called(built.call) or "", module)


def _method(info: ClassInfo, name: str, project: Project) -> Iterator[Function]:
    links = [info] if name in info.methods else bases_defining(project, info, name)
    for link in links:
        yield functions_of(project, link.module)[link.methods[name]]
        return


def _part(placed: Placed, way: Way) -> Placed | None:
    """What of a result a way goes on with: one of several, or all of it."""
    value, function = placed
    index = _index(way)
    if isinstance(value, ast.Tuple):
        taken = index is not None and index < len(value.elts)
        return (value.elts[index or 0], function) if taken else None
    if isinstance(value, ast.Dict | ast.List | ast.Constant):
        return None
    return None if way.binding is not None else placed


def _index(way: Way) -> int | None:
    """Which of several results is taken: by unpacking, or by `model(x)[0]`."""
    if way.binding is not None:
        return way.binding.index
    last = way.steps[-1] if way.steps else None
    number = last.slice if isinstance(last, ast.Subscript) else None
    if isinstance(number, ast.Constant) and isinstance(number.value, int):
        return number.value if number.value >= 0 else None
    return None
