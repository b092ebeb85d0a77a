"""What scores are that a caller brings, or a stack of layers that has no class of its own gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.activations import layer_kind
from gptdoctor.source.all_call_sites import sites_of
from gptdoctor.source.built_values import built_by
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.project import Project
from gptdoctor.source.scores import Scores, scores_of
from gptdoctor.source.value_ways import Way, shaped_from, ways_of

DEEPEST = 3  # callers of callers


@dataclass(frozen=True, eq=False)
class Given:
    """Scores, and the function in which they are made or called for."""

    scores: Scores
    function: Function
    here: bool = False  # made where the value is, and not behind a call


def scores_given(
    value: ast.expr, function: Function, project: Project, depth: int = 0
) -> Given | None:
    """What a value is, whichever way it came; None where ways differ or lead out of sight."""
    plain = scores_of(value, function)
    if plain is not None:
        return Given(plain, function, here=not depth)
    behind = scores_of(value, function, project)
    if behind is not None:
        return Given(behind, function)
    ways = ways_of(value, function, shaped_from) if depth <= DEEPEST else []
    return _agreed([_begun(one, function, project, depth) for one in ways])


def _agreed(found: list[Given | None]) -> Given | None:
    known = [one for one in found if one is not None]
    kinds = {one.scores.kind for one in known}
    return known[0] if known and len(known) == len(found) and len(kinds) == 1 else None


def _begun(way: Way, function: Function, project: Project, depth: int) -> Given | None:
    """What a way begins as: an argument, or a call of a stack that was built somewhere else."""
    if way.argument:
        given = [
            scores_given(one, where, project, depth + 1)
            for one, where in _brought(way, function, project)
        ]
        return _agreed(given)
    if way.binding is not None or way.source is None:
        return None
    plain = scores_of(way.source, function, project)
    if plain is not None:
        return Given(plain, function)
    return _stacked(way.source, function, project)


def _stacked(call: ast.expr, function: Function, project: Project) -> Given | None:
    built = built_by(call.func, function, project) if isinstance(call, ast.Call) else []
    kinds = {layer_kind(one.call, one.function) for one in built}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return Given(Scores(kind=kind, made=built[0].call), built[0].function) if kind else None


def _brought(way: Way, function: Function, project: Project) -> Iterator[tuple[ast.expr, Function]]:
    """What the callers give for an argument."""
    for site in sites_of(project, function):
        given = site.argument(function, way.argument)
        if given is not None:
            yield given, site.function
