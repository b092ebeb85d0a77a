"""Expressions that take the likeliest token, in all the ways in which torch lets one say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from gptdoctor.remedies.calls import (
    TensorCall,
    indices,
    integer,
    is_true,
    plain_index,
    tensor_call,
)
from gptdoctor.remedies.parsed import walk
from gptdoctor.remedies.remedy import Request


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """One such expression."""

    node: cst.BaseExpression  # all of it: `z.max(dim=-1).indices`
    scores: cst.BaseExpression  # what the likeliest is looked for in: `z`
    keeps: bool  # whether the last dimension stays, with length 1
    dim: int | None  # None: over all dimensions at once
    pair: bool  # it gives values and indices, which the statement takes apart


def greedy_at(request: Request) -> list[Greedy]:
    """The greedy expressions that begin in the finding's lines."""
    place, source = request.finding.location, request.source
    found: list[Greedy] = []
    for node in walk(source.module, cst.Call):
        one = _greedy(request, node)
        if one is None or not request.within(node):
            continue
        lines = range(source.line(one.node), source.last_line(one.node) + 1)
        if any(place.covers(line) for line in lines):
            found.append(one)
    exact = [one for one in found if source.line(one.node) == place.line]
    return exact or found


def _greedy(request: Request, node: cst.Call) -> Greedy | None:
    call = tensor_call(request, node)
    if call is None:
        return None
    if call.name == "argmax":
        dim = call.argument("dim", 0)
        if dim is not None and integer(dim) is None:
            return None
        keeps = is_true(call.argument("keepdim", 1))
        return Greedy(node=node, scores=call.subject, keeps=keeps, dim=integer(dim), pair=False)
    if call.name in ("sort", "argsort"):
        return _first_of_order(request, call)
    return _of_pair(request, call)


def _of_pair(request: Request, call: TensorCall) -> Greedy | None:
    """`max` and `topk` give values and indices."""
    outer = _indices(request, call.node)
    if call.name == "topk" and integer(call.argument("k", 0)) == 1:
        given = call.argument("dim", 1)
        dim, keeps = -1 if given is None else integer(given), True
    elif call.name == "max":
        dim, keeps = integer(call.argument("dim", 0)), is_true(call.argument("keepdim", 1))
    else:
        return None
    if dim is None or outer is None:
        return None
    pair = outer is call.node
    return Greedy(node=outer, scores=call.subject, keeps=keeps, dim=dim, pair=pair)


def _first_of_order(request: Request, call: TensorCall) -> Greedy | None:
    """`z.argsort(descending=True)[:, :1]`, and the same of what `sort` gives."""
    order: cst.BaseExpression | None = call.node
    if call.name == "sort":
        order = _indices(request, call.node)
    outer = request.source.parent(order) if order is not None else None
    if not is_true(call.argument("descending", 1)) or not isinstance(outer, cst.Subscript):
        return None
    *before, last = indices(outer)
    if (order is call.node and call.name == "sort") or not all(_takes_all(one) for one in before):
        return None
    given = call.argument("dim", 0)
    dim = -1 if given is None else integer(given)
    first = isinstance(last, cst.Index) and integer(last.value) == 0
    column = isinstance(last, cst.Slice) and last.lower is None and integer(last.upper) == 1
    if dim is None or not (first or column):
        return None
    return Greedy(node=outer, scores=call.subject, keeps=column, dim=dim, pair=False)


def _takes_all(index: cst.BaseSlice) -> bool:
    """Whether an index is `:` or `...`."""
    if isinstance(index, cst.Slice):
        return index.lower is None and index.upper is None
    return isinstance(index, cst.Index) and isinstance(index.value, cst.Ellipsis)


def _indices(request: Request, call: cst.Call) -> cst.BaseExpression | None:
    """The expression that takes the indices out of values and indices.

    The call itself where two targets of an assignment do it.
    """
    outer = request.source.parent(call)
    if isinstance(outer, cst.Attribute) and outer.attr.value == "indices":
        return outer
    if isinstance(outer, cst.Subscript) and integer(plain_index(outer)) in (1, -1):
        return outer
    if isinstance(outer, cst.Assign) and len(outer.targets) == 1:
        target = outer.targets[0].target
        if isinstance(target, cst.Tuple) and len(target.elements) == 2:
            return call
    return None


def draws(request: Request, node: cst.CSTNode) -> Iterator[cst.Call]:
    """Calls at and below a node that draw tokens by chance."""
    for call in walk(node, cst.Call):
        operation = tensor_call(request, call)
        name = (request.dotted(call.func) or "").rpartition(".")[2]
        if (operation is not None and operation.name == "multinomial") or name == "Categorical":
            yield call
