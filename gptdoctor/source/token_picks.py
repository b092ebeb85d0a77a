"""Deterministic choices of the largest entry: argmax and its spellings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.names import called_name
from gptdoctor.source.temperature import last_name


@dataclass(frozen=True, eq=False, kw_only=True)
class Pick:
    """One choice of the largest entry."""

    call: ast.Call  # argmax, max, topk, argsort or sort
    whole: ast.expr  # what gives the index: torch.max(x, -1)[1], x.topk(1).indices, the call
    operand: ast.expr  # what is chosen from
    form: str  # the name of what is called
    dim: ast.expr | None
    keepdim: bool


def may_pick(call: ast.Call) -> bool:
    """Whether a call may make a choice, by what it is given: `x.max()` and a top ten do not."""
    form, named = last_name(call.func), {one.arg for one in call.keywords}
    if form == "max":
        return bool(call.args or named)
    if form == "topk":
        given = (*call.args, *(one.value for one in call.keywords))
        return any(map(_is_one, given))
    return form not in ("argsort", "sort") or "descending" in named


def picks(function: Function) -> Iterator[Pick]:
    """The choices in a function's own text."""
    for node in own_nodes(function.node):
        if isinstance(node, ast.Call) and last_name(node.func) == "argmax":
            yield from _pick(node, node, function)
        elif isinstance(node, ast.Subscript) and _takes_first(node.slice):
            yield from _pick_of_order(node.value, node, function)
        elif isinstance(node, ast.Subscript | ast.Attribute) and _takes_indices(node):
            yield from _pick_of_pair(node.value, node, function)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = node.targets[0].elts
            if len(names) == 2 and not _is_blank(names[1]):
                yield from _pick_of_pair(node.value, node.value, function)


def _takes_indices(node: ast.Subscript | ast.Attribute) -> bool:
    """Whether a node takes the second of a pair: `.indices`, [1] or [-1]."""
    if isinstance(node, ast.Attribute):
        return node.attr == "indices"
    index = node.slice
    if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub):
        index = index.operand
    return _is_one(index)


def _takes_first(index: ast.expr) -> bool:
    """Whether an index takes the first along the last dimension: [:, 0], [..., :1]."""
    last = index.elts[-1] if isinstance(index, ast.Tuple) and index.elts else None
    if isinstance(last, ast.Slice):
        return last.lower is None and _is_one(last.upper)
    return isinstance(last, ast.Constant) and last.value == 0


def _pick_of_order(value: ast.expr, whole: ast.expr, function: Function) -> Iterator[Pick]:
    """A choice by sorting: the first index of a falling order."""
    if isinstance(value, ast.Subscript | ast.Attribute) and _takes_indices(value):
        value = value.value
    elif isinstance(value, ast.Name):
        value = _order_named(value, function)
    if isinstance(value, ast.Call) and last_name(value.func) in ("argsort", "sort"):
        falling = (one.value for one in value.keywords if one.arg == "descending")
        if any(isinstance(one, ast.Constant) and one.value is True for one in falling):
            yield from _pick(value, whole, function)


def _order_named(name: ast.Name, function: Function) -> ast.expr:
    """What sorts under a name: `order = p.argsort(...)`, the second of `p.sort(...)`.

    Or its indices: `order = p.sort(...).indices`.
    """
    found = function.reaching(name)
    one = found[0] if len(found) == 1 else None
    value = one.value if one is not None and one.role is Role.WHOLE else None
    if isinstance(value, ast.Attribute | ast.Subscript) and _takes_indices(value):
        return value.value if called_name(value.value) == "sort" else name
    if one is None or one.value is None or not isinstance(one.value, ast.Call):
        return name
    form = last_name(one.value.func)
    whole = one.role is Role.WHOLE and form == "argsort"
    second = one.role is Role.ITEM and one.index == 1 and form == "sort"
    return one.value if whole or second else name


def _is_blank(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id.startswith("_")


def _pick_of_pair(value: ast.expr, whole: ast.expr, function: Function) -> Iterator[Pick]:
    """A choice by max or topk, which give values and indices; the pair may have a name."""
    if isinstance(value, ast.Name):
        found = [one.value for one in function.reaching(value) if one.role.value == "whole"]
        value = found[0] if len(found) == 1 and found[0] is not None else value
    if isinstance(value, ast.Call) and last_name(value.func) in ("max", "topk"):
        yield from _pick(value, whole, function)


def _pick(call: ast.Call, whole: ast.expr, function: Function) -> Iterator[Pick]:
    form = last_name(call.func)
    qualified = function.module.names.qualified(call.func) or ""
    arguments = list(call.args)
    keywords = {one.arg: one.value for one in call.keywords}
    if not qualified.startswith(("torch.", "numpy.")):
        if not isinstance(call.func, ast.Attribute):
            return
        arguments.insert(0, call.func.value)
    operand = arguments[0] if arguments else keywords.get("input")
    second = arguments[1] if len(arguments) > 1 else None
    dim = keywords.get("dim", keywords.get("axis", second))
    if form == "topk":
        dim = keywords.get("dim", arguments[2] if len(arguments) > 2 else None)
        if not _is_one(keywords.get("k", second)):
            return
    elif form == "max" and dim is None:
        return  # the largest of all, not an index
    if operand is not None:
        yield Pick(
            call=call,
            whole=whole,
            operand=operand,
            form=form,
            dim=dim,
            keepdim=_keeps(form, whole, keywords.get("keepdim"), arguments),
        )


def _keeps(form: str, whole: ast.expr, keyword: ast.expr | None, arguments: list[ast.expr]) -> bool:
    """Whether the choice keeps the dimension that it chose along."""
    if form in ("argsort", "sort"):
        return isinstance(whole, ast.Subscript) and ":" in ast.unparse(whole.slice)[-3:]
    given = keyword or (arguments[2] if len(arguments) > 2 else None)
    return form == "topk" or (isinstance(given, ast.Constant) and given.value is True)


def _is_one(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value == 1
