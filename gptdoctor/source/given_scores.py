"""What scores are that a caller brings, or a stack of layers that has no class of its own gives."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gptdoctor.source.activations import LAYERS, layer_kind
from gptdoctor.source.all_call_sites import sites_of
from gptdoctor.source.built_values import SAME, WRAPPERS, built_by
from gptdoctor.source.classes import self_attribute
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
    return _agreed(_begun(one, function, project, depth) for one in ways)


def _agreed(found: Iterable[Given | None]) -> Given | None:
    """The first of all, where they are of one kind; after one that is not, none is looked for."""
    first = None
    for one in found:
        if one is None or (first is not None and one.scores.kind != first.scores.kind):
            return None
        first = first or one
    return first


def _begun(way: Way, function: Function, project: Project, depth: int) -> Given | None:
    """What a way begins as: an argument, or a call of a stack that was built somewhere else."""
    if way.argument:
        return _agreed(
            scores_given(one, where, project, depth + 1)
            for one, where in _brought(way, function, project)
        )
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
    if not isinstance(call, ast.Call) or _is_kept_otherwise(call.func, function):
        return None
    built = built_by(call.func, function, project)
    kinds = {layer_kind(one.call, one.function) for one in built}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return Given(Scores(kind=kind, made=built[0].call), built[0].function) if kind else None


def _is_kept_otherwise(called: ast.expr, function: Function) -> bool:
    """Whether a class builds one of its layers as what gives no such scores.

    Asked before its bases are looked up, of which nothing that is said could change that.
    """
    own = self_attribute(called)
    built = function.owner.attributes.get(own, []) if own and function.owner else []
    inside = (*SAME, "Sequential")  # what these are made of is looked at further on
    plain = [one for one in built if called_name(one) not in inside]
    names = [name for one in plain if (name := function.module.names.called(one))]
    return any(name not in LAYERS and not WRAPPERS.search(name) for name in names)


def _brought(way: Way, function: Function, project: Project) -> Iterator[tuple[ast.expr, Function]]:
    """What the callers give for an argument."""
    for site in sites_of(project, function):
        given = site.argument(function, way.argument)
        if given is not None:
            yield given, site.function
