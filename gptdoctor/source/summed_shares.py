"""Shares that an einsum sums over one dimension, and that add up to 1 along another.

    shares = self.gate(rows).softmax(0)
    return torch.einsum("ne,neo->no", shares, answers)

Each row gets a sum over the experts (e), and its shares add up to 1 over the rows (n).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.attention_text import layer_of, softmax_operand
from gptdoctor.source.callees import callee_of
from gptdoctor.source.flow_experts import resolved
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_turns import number
from gptdoctor.source.matrix_products import equation_of
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.softmax_dimension import softmax_dimension
from gptdoctor.source.value_ways import keyword, operation

EXPERT = re.compile(r"expert", re.IGNORECASE)
# What makes scores positive, number by number.
POSITIVE = frozenset({"softplus", "exp", "relu", "sigmoid", "square", "abs", "clamp", "float"})
DEEPEST = 5
Normalised = tuple[ast.expr, int, Function]  # by which expression, along which dimension, where


def shared_over_rows(
    product: ast.Call, project: Project, function: Function
) -> Iterator[tuple[ast.expr, Function]]:
    """The expressions that make such shares for a sum over experts, and where they stand."""
    before, arrow, after = (equation_of(product) or "").partition("->")
    letters = before.split(",")
    if not arrow or "." in before or len(letters) < 2 or len(product.args) != len(letters) + 1:
        return
    owner = function.owner
    if owner is None or not EXPERT.search(owner.text):
        return
    for own, value in zip(letters, product.args[1:], strict=True):
        others = "".join(one for one in letters if one is not own)
        summed = own[-1] not in after and own[-1] in others
        made = _normalised(value, project, function) if summed and len(own) > 1 else None
        if made is None or not -len(own) <= made[1] < len(own):
            continue
        if own[made[1]] != own[-1] and own[made[1]] in after:
            yield made[0], made[2]


def _normalised(value: ast.expr, project: Project, function: Function) -> Normalised | None:
    """How a linear layer's scores were made to add up to 1, here or in a method."""
    value = resolved(value, function)
    callee = callee_of(project, function, value) if isinstance(value, ast.Call) else None
    if callee is not None and len(callee.returned) == 1:
        function, value = callee, resolved(callee.returned[0], callee)
    along: int | str | None = None
    scores: ast.expr | None = None
    if isinstance(value, ast.Call) and called_name(value) == "softmax":
        along, scores = (
            softmax_dimension(value, project, function),
            softmax_operand(value, function),
        )
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        along, scores = _summed_along(value, function), value.left
    if not isinstance(along, int) or scores is None or not _is_linear(scores, project, function):
        return None
    return value, along, function


def _summed_along(division: ast.BinOp, function: Function) -> int | None:
    """The dimension of `x / x.sum(dim, keepdim=True)`."""
    total = resolved(division.right, function)
    made = operation(total, function) if called_name(total) == "sum" else None
    if (
        made is None
        or not isinstance(total, ast.Call)
        or text_of(made[1]) != text_of(division.left)
    ):
        return None
    places = [one for one in total.args if one is not made[1]]
    told = places[0] if places else keyword(total, "dim")
    return None if told is None else number(told)


def _is_linear(value: ast.expr, project: Project, function: Function) -> bool:
    """Whether scores are a linear layer's, made positive at the most."""
    for _ in range(DEEPEST):
        value = resolved(value, function)
        made = operation(value, function) if called_name(value) in POSITIVE else None
        if made is None:
            break
        value = made[1]
    called = value.func if isinstance(value, ast.Call) else None
    return called is not None and layer_of(project, function, called) == "torch.nn.Linear"
