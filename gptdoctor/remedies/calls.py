"""Operations on tensors, whether they are written as methods or as functions of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gptdoctor.remedies.remedy import Request

# Where functions that take a tensor first live.
FUNCTION_HOMES = ("torch", "torch.nn.functional", "torch.special", "torch.Tensor")
# Names under which the tensor of a function may be given by keyword.
SUBJECT_KEYWORDS = ("input", "self")


@dataclass(frozen=True, kw_only=True)
class TensorCall:
    """`x.softmax(-1)` and `torch.softmax(x, -1)` alike."""

    node: cst.Call
    name: str  # "softmax"
    subject: cst.BaseExpression  # x
    arguments: tuple[cst.Arg, ...]  # without the subject
    function: bool  # written as a function

    def argument(self, keyword: str, position: int) -> cst.BaseExpression | None:
        """An argument by its keyword or by its position after the subject."""
        for argument in self.arguments:
            if argument.keyword is not None and argument.keyword.value == keyword:
                return argument.value
        plain = [one for one in self.arguments if one.keyword is None and not one.star]
        return plain[position].value if position < len(plain) else None


def tensor_call(request: Request, node: cst.CSTNode | None) -> TensorCall | None:
    """The operation that a call is, or None where it is none by its form."""
    if not isinstance(node, cst.Call):
        return None
    home, _, name = (request.dotted(node.func) or "").rpartition(".")
    if home in FUNCTION_HOMES or _from_star(request, node.func):
        return _function_call(node, name)
    if isinstance(node.func, cst.Attribute):
        return TensorCall(
            node=node,
            name=node.func.attr.value,
            subject=node.func.value,
            arguments=tuple(node.args),
            function=False,
        )
    return None


def _from_star(request: Request, func: cst.BaseExpression) -> bool:
    """Whether a bare name may come from `from torch import *`."""
    names = request.module.names
    return (
        isinstance(func, cst.Name)
        and func.value not in names.aliases
        and any(star in FUNCTION_HOMES for star in names.stars)
    )


def _function_call(node: cst.Call, name: str) -> TensorCall | None:
    arguments = list(node.args)
    for argument in arguments:
        first = argument is arguments[0] and argument.keyword is None and not argument.star
        keyword = argument.keyword.value if argument.keyword is not None else ""
        if first or keyword in SUBJECT_KEYWORDS:
            arguments.remove(argument)
            return TensorCall(
                node=node,
                name=name,
                subject=argument.value,
                arguments=tuple(arguments),
                function=True,
            )
    return None


def integer(node: cst.CSTNode | None) -> int | None:
    """The value of a whole number written out, with its sign."""
    if isinstance(node, cst.Integer):
        return node.evaluated_value
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        inner = integer(node.expression)
        return None if inner is None else -inner
    return None


def integers(nodes: Sequence[cst.CSTNode]) -> list[int] | None:
    """The values of whole numbers, given one by one or as one tuple or list."""
    if len(nodes) == 1 and isinstance(nodes[0], cst.Tuple | cst.List):
        nodes = [element.value for element in nodes[0].elements]
    values = [integer(node) for node in nodes]
    return None if None in values else [value for value in values if value is not None]


def is_true(node: cst.CSTNode | None) -> bool:
    """Whether a node is the constant True."""
    return isinstance(node, cst.Name) and node.value == "True"


def indices(node: cst.Subscript) -> list[cst.BaseSlice]:
    """What stands between the brackets, one by one."""
    return [element.slice for element in node.slice]


def plain_index(node: cst.CSTNode | None) -> cst.BaseExpression | None:
    """The only index of a subscript, where it has one and that is no slice."""
    if isinstance(node, cst.Subscript) and len(node.slice) == 1:
        only = node.slice[0].slice
        return only.value if isinstance(only, cst.Index) and only.star is None else None
    return None


def negated(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """`x` where a node is `~x` or `not x`."""
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.BitInvert | cst.Not):
        return node.expression
    return None
