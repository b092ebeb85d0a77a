"""What scores are, whichever way they came: probabilities, logarithms, or as a layer gave them."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.activations import activation
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.value_ways import shaped_from, ways_of

PROBABILITIES = frozenset({"softmax", "sigmoid"})
LOGARITHMS = frozenset({"log_softmax", "logsigmoid", "log"})
RAW = "linear"  # as a linear layer gives them, or a model's output calls them logits


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """One kind of scores, and where they are made."""

    kind: str  # "softmax", "log_softmax", ..., or RAW
    made: ast.expr


def scores_of(value: ast.expr, function: Function) -> Scores | None:
    """What a value is, where all ways that it may have come agree; None where they do not."""
    ways = ways_of(value, function, shaped_from)
    found = [
        Scores(kind=_kind(one.source, function), made=one.source)
        for one in ways
        if one.binding is None and one.source is not None
    ]
    if not found or len(found) < len(ways) or len({one.kind for one in found}) > 1:
        return None
    return found[0] if found[0].kind else None


def _kind(source: ast.expr, function: Function) -> str:
    made = activation(source, function)
    if made is not None:
        return made[0]
    if isinstance(source, ast.Attribute):
        return RAW if source.attr == "logits" and not self_attribute(source) else ""
    return RAW if is_linear(source, function) else ""


def is_linear(value: ast.expr, function: Function) -> bool:
    """Whether a value is what a linear layer of the class gives."""
    own = self_attribute(value.func) if isinstance(value, ast.Call) else None
    built = function.owner.attributes.get(own, []) if own and function.owner else []
    called = function.module.names.called
    return bool(built) and all(called(one) == "torch.nn.Linear" for one in built)
