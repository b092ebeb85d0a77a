"""What scores are that a caller brings, or a stack of layers that has no class of its own gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.activations import layer_kind
from gptdoctor.source.all_call_sites import sites_of
from gptdoctor.source.built_values import built_by
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.scores import PROBABILITIES, Scores, scores_of
from gptdoctor.source.value_ways import Way, operation, shaped_from, ways_of

DEEPEST = 4  # callers of callers
# Probabilities are still probabilities after these, or nearly.
LIMITS = frozenset({"clamp", "clamp_min", "clip", "mean"})
JOINS = frozenset({"stack", "cat"})


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
    inner = _limited(way.source, function)
    if inner is not None:
        found = scores_given(inner, function, project, depth + 1)
        return found if found is not None and found.scores.kind in PROBABILITIES else None
    return _stacked(way.source, function, project)


def _limited(value: ast.expr, function: Function) -> ast.expr | None:
    """Probabilities that are kept from zero, `p.clamp(min=1e-8)` and `p + 1e-8`, or averaged."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return value.left if isinstance(value.right, ast.Constant) else None
    if called_name(value) in JOINS and isinstance(value, ast.Call) and value.args:
        given = value.args[0]
        return given.elt if isinstance(given, ast.ListComp) else None
    made = operation(value, function)
    return made[1] if made is not None and made[0] in LIMITS else None


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
