"""Where tokens are drawn at random, and what was done to the scores that they are drawn from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.activations import FUNCTIONS, activation
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.imports import is_none
from gptdoctor.source.names import called_name
from gptdoctor.source.scores import is_linear
from gptdoctor.source.temperature_numbers import direction, is_number
from gptdoctor.source.value_ways import (
    Way,
    fills,
    is_lowest,
    keyword,
    operation,
    shaped_from,
    ways_of,
)

DRAWING = ("multinomial", "Categorical")  # the names of what draws
# Distributions over classes, all of which take their probabilities or their logits.
DISTRIBUTIONS = (
    *("Categorical", "OneHotCategorical", "OneHotCategoricalStraightThrough"),
    *("RelaxedOneHotCategorical", "Multinomial", "Bernoulli", "RelaxedBernoulli"),
)
BY_PLACE = frozenset(DISTRIBUTIONS[:3])  # take probabilities first, and then logits
# Of these another argument comes first: a number of draws, a temperature.
FIRST = {"Multinomial": 1, "RelaxedOneHotCategorical": 1, "RelaxedBernoulli": 1}
SCALING = {"div": True, "true_divide": True, "divide": True, "mul": False, "multiply": False}
FILLING = frozenset({"masked_fill", "masked_fill_", "where", "scatter", "index_fill"})
PROCESSOR = re.compile(r"^logits?_(processor|warper)s?$")
PROCESSED = 2  # its arguments: the tokens so far, and the logits


@dataclass(frozen=True, eq=False, kw_only=True)
class Draw:
    """One draw, or one distribution to draw from."""

    call: ast.Call
    given: ast.expr
    logits: bool  # what is given is taken for logits, and not for probabilities


@dataclass(frozen=True, eq=False, kw_only=True)
class Scaling:
    """A tensor that a number multiplies or divides."""

    node: ast.AST  # the operation
    tensor: ast.expr
    number: ast.expr
    divides: bool


def draw_at(node: ast.AST, function: Function | None) -> Draw | None:
    """The draw that a call is."""
    if not isinstance(node, ast.Call) or function is None:
        return None
    qualified = function.module.names.called(node) or ""
    name = qualified.rpartition(".")[2]
    if name in DISTRIBUTIONS and qualified.startswith("torch."):
        logits = keyword(node, "logits")
        if name in BY_PLACE and len(node.args) > 1 and is_none(node.args[0]):
            logits = node.args[1]  # Categorical(None, z)
        place = FIRST.get(name, 0)
        by_place = node.args[place] if len(node.args) > place else None
        given = logits or keyword(node, "probs") or by_place
        return Draw(call=node, given=given, logits=logits is not None) if given else None
    made = operation(node, function)
    if made is None or made[0] != "multinomial":
        return None
    return Draw(call=node, given=made[1], logits=False)


def scaling_of(node: ast.AST, function: Function) -> Scaling | None:
    """The scaling that a node is: an operator, `x /= t`, a method or a function of torch's."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div | ast.Mult):
        return Scaling(
            node=node,
            tensor=node.target,
            number=node.value,
            divides=isinstance(node.op, ast.Div),
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return Scaling(node=node, tensor=node.left, number=node.right, divides=True)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        sides = [node.left, node.right]
        if is_number(node.left, function):
            sides.reverse()
        return Scaling(node=node, tensor=sides[0], number=sides[1], divides=False)
    made = operation(node, function) if isinstance(node, ast.Call) else None
    if made is None or made[0].rstrip("_") not in SCALING or not isinstance(node, ast.Call):
        return None
    others = [one for one in node.args if one is not made[1]]
    divides = SCALING[made[0].rstrip("_")]
    if len(others) != 1:
        return None
    return Scaling(node=node, tensor=made[1], number=others[0], divides=divides)


def scored_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value is the same scores as, shaped, scaled by a number or with places filled."""
    shaped = shaped_from(value, function)
    if shaped:
        return shaped
    scaling = scaling_of(value, function)
    if scaling is not None and is_number(scaling.number, function):
        return [scaling.tensor]
    if _is_processor(value) and isinstance(value, ast.Call):
        return value.args[1:2]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub) and _is_moved(value):
        return [value.left]
    made = operation(value, function)
    if made is None or made[0] not in FILLING or not isinstance(value, ast.Call):
        return []
    if made[0] != "where":
        return [made[1]] if any(fills(one) for one in value.args) else []
    kept = [one for one in value.args[1:] if not fills(one) and not _is_full(one)]
    return kept if len(kept) < len(value.args[1:]) else []


def _is_moved(value: ast.BinOp) -> bool:
    """Whether scores are moved by one number of their own: `z - z.min(dim=-1).values`."""
    by = value.right.value if isinstance(value.right, ast.Attribute) else value.right
    known = called_name(by) in ("min", "amin", "max", "amax", "mean", "logsumexp")
    func = by.func if known and isinstance(by, ast.Call) else None
    root = func.value if isinstance(func, ast.Attribute) else None
    return isinstance(root, ast.Name) and text_of(root) == text_of(value.left)


def _is_processor(value: ast.AST) -> bool:
    """`logits_processor(input_ids, scores)`: what it is given second, and gives, are logits."""
    named = isinstance(value, ast.Call) and PROCESSOR.search(called_name(value)) is not None
    return named and isinstance(value, ast.Call) and len(value.args) >= PROCESSED


def mapped_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """The same, through softmax and what goes with it."""
    made = activation(value, function)
    if made is not None and made[1] is not None:
        return [made[1]]
    power = power_of(value, function)
    if power is not None:
        return [power.tensor]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div) and _is_sum(value.right):
        return [value.left]
    return scored_from(value, function)


def power_of(node: ast.AST, function: Function) -> Scaling | None:
    """`p ** t`, `p.pow(t)`: of probabilities the scaling of their logarithms."""
    base: ast.expr | None = None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, number = node.left, node.right
    elif isinstance(node, ast.Call) and called_name(node) in ("pow", "pow_"):
        made = operation(node, function)
        others = [one for one in node.args if made is not None and one is not made[1]]
        if made is not None and len(others) == 1:
            base, number = made[1], others[0]
    if base is None or direction(number, function) is None:
        return None
    return Scaling(node=node, tensor=base, number=number, divides=False)


def _is_sum(value: ast.expr) -> bool:  # what is divided by it sums to one
    return called_name(value) == "sum"


def _is_full(value: ast.expr) -> bool:
    """full_like(x, -inf), zeros_like(x)."""
    return isinstance(value, ast.Call) and called_name(value) in (
        "full_like",
        "zeros_like",
        "tensor",
    )


def fill_of(step: ast.AST) -> ast.AST | None:
    """The number that a step fills places with."""
    if isinstance(step, ast.Call):
        return next((one for one in reversed(step.args) if fills(one)), None)
    return step if isinstance(step, ast.expr) and fills(step) else None


def is_raw(way: Way, function: Function) -> bool:
    """Whether what a way ends as are logits or logarithms: numbers of either sign."""
    source = way.source
    if way.binding is None and source is not None:
        made = activation(source, function)
        if made is not None:
            return made[0] in ("log_softmax", "log", "logsigmoid")
        if isinstance(source, ast.Attribute) and source.attr in ("logits", "logprobs"):
            return True
        if is_linear(source, function):
            return True
    if any(is_lowest(one) for one in map(fill_of, way.steps) if one is not None):
        return True
    if any(map(_is_processor, way.steps)):
        return True
    names = [one.id for one in way.steps if isinstance(one, ast.Name)]
    # What is called logits and divided by a temperature is meant for a softmax, whoever made it.
    cooled = any(_is_cooled(one, function) for one in way.steps)
    return any("logit" in name.lower() for name in names) and (cooled or _may_be_raw(way))


def _is_cooled(step: ast.AST, function: Function) -> bool:
    scaling = scaling_of(step, function)
    return scaling is not None and direction(scaling.number, function) is not None


def _may_be_raw(way: Way) -> bool:
    """Whether nothing is known of where a way begins but the name: a model's call, an argument."""
    if way.binding is not None:
        return way.binding.role in (Role.ARGUMENT, Role.ITEM)
    return isinstance(way.source, ast.Call) and called_name(way.source) in (
        *("model", "forward", "self", "net", "lm_head", "head", "decoder", "gpt", "transformer"),
    )


def raw_ways(value: ast.expr, function: Function) -> list[Way]:
    """The ways of a value that is logits or logarithms whichever way it came; else none."""
    ways = ways_of(value, function, scored_from, scaled=True)
    return ways if all(is_raw(one, function) for one in ways) else []


def steps_of(way: Way, function: Function) -> Iterator[tuple[str, ast.AST]]:
    """The steps of a way that count, the last first: activations by name, and "scale"."""
    for step in way.steps:
        made = activation(step, function) if isinstance(step, ast.expr) else None
        if made is not None and made[0] in FUNCTIONS:
            yield made[0], step
        elif scaling_of(step, function) is not None and not _is_share(step):
            yield "scale", step
        elif power_of(step, function) is not None:
            yield "power", step


def _is_share(step: ast.AST) -> bool:
    over = getattr(step, "value" if isinstance(step, ast.AugAssign) else "right", None)
    return over is not None and _is_sum(over)
