"""How many dimensions an expression has, as far as its text tells.

What a model gives is taken for [B, T, V] where it is indexed as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import libcst as cst

from gptdoctor.remedies.calls import TensorCall, indices, integer, tensor_call
from gptdoctor.remedies.flow import Binding, bindings, function_of, reaching
from gptdoctor.remedies.parsed import is_name, walk
from gptdoctor.remedies.remedy import Request

LOGITS_RANK = 3  # [B, T, V]
# Operations that leave the number of dimensions as it is.
LEAVES = frozenset(
    [
        "softmax",
        "log_softmax",
        "exp",
        "div",
        "div_",
        "true_divide",
        "mul",
        "mul_",
        "float",
        "double",
        "half",
        "clone",
        "detach",
        "to",
        "cpu",
        "cuda",
        "contiguous",
        "masked_fill",
        "masked_fill_",
        "clamp",
        "clamp_",
        "clamp_min",
        "sub",
        "add",
        "type",
        "nan_to_num",
        "scatter",
        "scatter_",
        "bfloat16",
    ]
)
# Definitions that refer to each other further than this are loops.
DEEPEST = 12


def rank(request: Request, node: cst.CSTNode | None, depth: int = 0) -> int | None:
    """The number of dimensions, or None where the text does not tell."""
    if depth > DEEPEST:
        return None
    if isinstance(node, cst.Subscript):
        return _of_subscript(request, node, depth + 1)
    if isinstance(node, cst.BinaryOperation):
        return _first(rank(request, side, depth + 1) for side in (node.left, node.right))
    if isinstance(node, cst.UnaryOperation):
        return rank(request, node.expression, depth + 1)
    if isinstance(node, cst.IfExp):
        return _agreed([rank(request, one, depth + 1) for one in (node.body, node.orelse)])
    if isinstance(node, cst.Call):
        return _of_call(request, node, depth + 1)
    if isinstance(node, cst.Name):
        return _of_name(request, node, depth + 1)
    return None


def _first(found: Iterator[int | None]) -> int | None:
    return next((one for one in found if one is not None), None)


def _agreed(found: Iterable[int | None]) -> int | None:
    """The one value that all give, or None."""
    values = set(found)
    return values.pop() if len(values) == 1 else None


def _of_subscript(request: Request, node: cst.Subscript, depth: int) -> int | None:
    taken = added = kept = 0
    open_ended = False
    for index in indices(node):
        if isinstance(index, cst.Slice):
            kept += 1
        elif isinstance(index, cst.Index) and is_name(index.value, "None"):
            added += 1
        elif isinstance(index, cst.Index) and isinstance(index.value, cst.Ellipsis):
            open_ended = True
        elif isinstance(index, cst.Index) and integer(index.value) is not None:
            taken += 1
        else:
            return None
    known = rank(request, node.value, depth)
    telling = kept or open_ended or taken > 1  # `x[-1]` alone may be a row or a step
    if known is None:
        known = LOGITS_RANK if telling else None
    return None if known is None else known - taken + added


def _of_call(request: Request, node: cst.Call, depth: int) -> int | None:
    call = tensor_call(request, node)
    if call is None:
        return None
    if call.name in LEAVES:
        return rank(request, call.subject, depth)
    if call.name == "where":
        return _first(rank(request, one.value, depth) for one in call.arguments)
    if call.name in ("view", "reshape") and call.arguments:
        first = call.arguments[0].value
        plain = len(call.arguments) > 1 or integer(first) is not None
        return len(call.arguments) if plain else None
    if call.name in ("squeeze", "unsqueeze", "select"):
        inner = rank(request, call.subject, depth)
        step = 1 if call.name == "unsqueeze" else -1
        return inner + step if inner is not None and call.arguments else None
    return _of_method(request, call, depth)


def _of_method(request: Request, call: TensorCall, depth: int) -> int | None:
    """What a method of the same class returns."""
    owner = request.source.around(call.node, cst.ClassDef)
    if owner is None or not is_name(call.subject, "self"):
        return None
    for method in walk(owner, cst.FunctionDef):
        if method.name.value == call.name:
            returned = [one.value for one in walk(method, cst.Return)]
            return _agreed(rank(request, one, depth) for one in returned)
    return None


def _of_name(request: Request, name: cst.Name, depth: int) -> int | None:
    function = function_of(request.source, name)
    if function is None:
        return None
    one = reaching(request.source, name.value, name)
    place, _ = request.source.span(name)
    every = [
        binding
        for binding in bindings(function, name.value)
        if request.source.span(binding.statement)[1] <= place and not binding.augmented
    ]
    found = [one] if one is not None and not one.augmented else every
    return _agreed(_of_binding(request, function, binding, depth) for binding in found)


def _of_binding(
    request: Request, function: cst.FunctionDef, binding: Binding, depth: int
) -> int | None:
    if binding.part:
        return None
    if binding.value is not None:
        return rank(request, binding.value, depth)
    if isinstance(binding.statement, cst.Param):
        return _agreed(_at_callers(request, function, binding.statement, depth))
    return None


def _at_callers(
    request: Request, function: cst.FunctionDef, parameter: cst.Param, depth: int
) -> Iterator[int | None]:
    """The ranks of what the calls of a function in this file give it for a parameter."""
    plain = [*function.params.posonly_params, *function.params.params]
    names = [one.name.value for one in plain if one.name.value not in ("self", "cls")]
    wanted = parameter.name.value
    for call in walk(request.source.module, cst.Call):
        name = (request.dotted(call.func) or "").rpartition(".")[2]
        if name == function.name.value:
            given = [one.value for one in call.args if one.keyword is None and not one.star]
            keywords = {one.keyword.value: one.value for one in call.args if one.keyword}
            place = names.index(wanted) if wanted in names else len(given)
            value = keywords.get(wanted) or (given[place] if place < len(given) else None)
            yield rank(request, value, depth)
