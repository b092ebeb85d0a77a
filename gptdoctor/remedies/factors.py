"""The factors that a value is a product of, through locals and changes of shape."""

from __future__ import annotations

import libcst as cst

from gptdoctor.remedies.calls import tensor_call
from gptdoctor.remedies.flow import reaching
from gptdoctor.remedies.housekeeping import held_attribute
from gptdoctor.remedies.remedy import Request
from gptdoctor.remedies.scores import MOVES

SHAPES = MOVES | frozenset(
    [
        "unsqueeze",
        "squeeze",
        "view",
        "reshape",
        "flatten",
        "expand",
        "expand_as",
        "type",
        "type_as",
        "view_as",
        "div",
    ]
)
DEEPEST = 8


def factors(request: Request, node: cst.BaseExpression, depth: int = 0) -> list[cst.BaseExpression]:
    """What is multiplied to give `node`; `node` itself where nothing is."""
    if depth > DEEPEST:
        return [node]
    if isinstance(node, cst.BinaryOperation):
        if isinstance(node.operator, cst.Multiply):
            sides = (node.left, node.right)
            return [one for side in sides for one in factors(request, side, depth + 1)]
        if isinstance(node.operator, cst.Divide):
            return factors(request, node.left, depth + 1)
    if isinstance(node, cst.Subscript):
        return factors(request, node.value, depth + 1)
    if isinstance(node, cst.Name):
        return _of_name(request, node, depth)
    return _of_call(request, node, depth)


def _of_call(request: Request, node: cst.BaseExpression, depth: int) -> list[cst.BaseExpression]:
    call = tensor_call(request, node)
    if call is None:
        return [node]
    if call.name in ("mul", "mul_", "multiply", "einsum"):
        parts = [] if call.name == "einsum" else [call.subject]
        parts += [argument.value for argument in call.arguments]
        return [one for part in parts for one in factors(request, part, depth + 1)]
    return factors(request, call.subject, depth + 1) if call.name in SHAPES else [node]


def _of_name(request: Request, node: cst.Name, depth: int) -> list[cst.BaseExpression]:
    binding = reaching(request.source, node.value, node)
    if binding is None or binding.value is None or binding.part:
        return [node]
    if isinstance(binding.statement, cst.AugAssign):
        multiplied = isinstance(binding.statement.operator, cst.MultiplyAssign)
        return [node, *factors(request, binding.value, depth + 1)] if multiplied else [node]
    found = factors(request, binding.value, depth + 1)
    return found if len(found) > 1 else [node]


def is_weighted(request: Request, value: cst.BaseExpression) -> bool:
    """Whether an answer is multiplied by something that is neither a number nor a parameter."""
    tensors = [
        one
        for one in factors(request, value)
        if not isinstance(one, cst.Integer | cst.Float) and not _is_constant(one)
    ]
    return len(tensors) > 1


def _is_constant(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Attribute) and held_attribute(node) is not None
