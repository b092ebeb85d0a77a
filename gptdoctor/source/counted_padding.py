"""Means that count positions which their loss has left out."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.imports import is_none
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import operation, shaped_from, ways_of

DEEPEST = 6  # names followed one after another
# What tells padding from targets; whether a target is above 0 may be a weight like others.
TRUTHS = frozenset({"ne", "eq", "not_equal"})
# Names that are given to a function and say which positions are padding.
PADDING_NAME = re.compile(r"pad|^(attention|attn|loss|label|target|seq)?_?masks?$", re.IGNORECASE)


def mean_of_all(loss: LossCall) -> ast.Call | None:
    """The mean over all positions of a loss that was computed for each, some of them left out."""
    if getattr(loss.setting("reduction"), "value", None) != "none":
        return None
    ignored = loss.setting("ignore_index")
    leaves_out = ignored is not None and not is_none(ignored)
    nodes = list(own_nodes(loss.function.node))
    if any(map(_divides_by_share, nodes)):
        return None
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        given = _averaged(node, loss.function)
        if given is None:
            continue
        if _is_masked(given, loss, 0) or (leaves_out and _is_loss(given, loss)):
            return node
    return None


def _divides_by_share(node: ast.AST) -> bool:
    """Whether something is divided by the share of what is kept: `.mean() / mask.mean()`."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
        return False
    return any(called_name(one) in ("mean", "sum", "numel") for one in calls_below(node.right))


def _averaged(call: ast.Call, function: Function) -> ast.expr | None:
    """What a call takes the mean of, over all that there is: `x.mean()`, `torch.mean(x)`."""
    made = operation(call, function)
    if made is None or made[0] != "mean" or call.keywords:
        return None
    given = call.args if made[1] not in call.args else call.args[1:]
    return None if given else made[1]


def _is_loss(value: ast.expr, loss: LossCall) -> bool:
    """Whether a value is the loss of each position, in whatever shape."""
    ways = ways_of(value, loss.function, shaped_from)
    return bool(ways) and all(
        one.source is loss.call and not any(map(_picks, one.steps)) for one in ways
    )


def _picks(step: ast.AST) -> bool:
    """Whether a step takes some of the positions alone."""
    return isinstance(step, ast.Subscript) or (
        isinstance(step, ast.Call) and getattr(step.func, "attr", "") == "masked_select"
    )


def _is_masked(value: ast.expr, loss: LossCall, depth: int) -> bool:
    """Whether a value is the loss of each position, multiplied by what is 0 where padding is."""
    if depth > DEEPEST:
        return False
    if isinstance(value, ast.Name):
        bound = bound_to(value, loss.function)
        return bound is not None and _is_masked(bound, loss, depth + 1)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        pairs = ((value.left, value.right), (value.right, value.left))
        return any(_is_loss(one, loss) and _keeps(mask, loss) for one, mask in pairs)
    made = operation(value, loss.function)
    if made is None or not isinstance(value, ast.Call) or made[0] != "masked_fill":
        return False
    return _is_loss(made[1], loss) and any(_keeps(one, loss) for one in value.args)


def _keeps(mask: ast.expr, loss: LossCall) -> bool:
    """Whether a mask tells padding from what is a target: by a comparison, or by its name."""
    ways = ways_of(mask, loss.function, _as_mask)
    return bool(ways) and all(_tells(one.source, one.argument, loss) for one in ways)


def _tells(source: ast.expr | None, argument: str, loss: LossCall) -> bool:
    if argument:
        return PADDING_NAME.search(argument) is not None
    made = None if source is None else operation(source, loss.function)
    if made is not None and made[0] in TRUTHS:
        return _of_targets(made[1], loss)
    if not isinstance(source, ast.Compare) or len(source.ops) != 1:
        return False
    equal = isinstance(source.ops[0], ast.Eq | ast.NotEq)
    return equal and _of_targets(source.left, loss)


def _of_targets(value: ast.expr, loss: LossCall) -> bool:
    """Whether a comparison is of the targets themselves, or names padding."""
    if PADDING_NAME.search(text_of(value)):
        return True
    told = {one.source or one.binding for one in ways_of(loss.targets, loss.function, shaped_from)}
    ways = ways_of(value, loss.function, shaped_from)
    return bool(ways) and all((one.source or one.binding) in told for one in ways)


def _as_mask(value: ast.expr, function: Function) -> list[ast.expr]:
    """Back through shapes, types and `~`."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Invert):
        return [value.operand]
    return shaped_from(value, function)
