"""What topk is asked for, and which of its values, or of a sort's, is taken for the threshold."""

from __future__ import annotations

import ast

from gptdoctor.source.draws import mapped_from, scaling_of
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number
from gptdoctor.source.names import called_name
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.token_cuts import descends, draws, filling_at, is_filter
from gptdoctor.source.value_ways import Way, keyword, operation, ways_of


def is_first(bound: ast.expr, topk: ast.Call, function: Function) -> bool:
    """Whether a threshold is the first of the values, and not the last: `v[:, [0]]`.

    A share of the largest, as min-p takes it, is another filter; of one value both are the same.
    """
    ways = ways_of(bound, function, mapped_from, scaled=True)
    steps = [step for way in ways for step in _until(topk, way)]
    if _count(topk, function) == 1 or any(scaling_of(step, function) for step in steps):
        return False
    return any(isinstance(step, ast.Subscript) and _takes_first(step.slice) for step in steps)


def _until(topk: ast.Call, way: Way) -> tuple[ast.AST, ...]:
    """What was done to the values of topk since."""
    return way.steps[: way.steps.index(topk)] if topk in way.steps else way.steps


def _takes_first(index: ast.expr) -> bool:
    """`[:, 0]`, `[..., [0]]`, `[:, :1]`; `[0]` alone may be the values of the pair."""
    places = index.elts if isinstance(index, ast.Tuple) else []
    places = [one for one in places if not (isinstance(one, ast.Constant) and one.value is None)]
    last = places[-1] if len(places) > 1 else None
    if isinstance(last, ast.List) and len(last.elts) == 1:
        last = last.elts[0]
    if isinstance(last, ast.Slice):
        return not last.lower and isinstance(last.upper, ast.Constant) and last.upper.value == 1
    return last is not None and number(last) == 0


def more_than_asked(topk: ast.Call, function: Function) -> int | None:
    """How many more than k are taken: 1 for top_k + 1; None where that is not plain."""
    count = _asked(topk, function)
    for _ in range(2):
        bound = bound_to(count, function) if isinstance(count, ast.Name) else None
        count = count if bound is None else bound
        if called_name(count) in ("min", "int") and isinstance(count, ast.Call) and count.args:
            count = count.args[0]
    if isinstance(count, ast.BinOp) and isinstance(count.op, ast.Add):
        return number(count.right)
    if isinstance(count, ast.Name):
        found = function.reaching(count)
        return 0 if found and all(one.role is Role.ARGUMENT for one in found) else None
    return 0 if isinstance(count, ast.Attribute | ast.Constant) else None


def _count(topk: ast.Call, function: Function) -> int | None:
    count = _asked(topk, function)
    return None if count is None else number(count)


def _asked(topk: ast.Call, function: Function) -> ast.expr | None:
    """How many topk is asked for."""
    made = operation(topk, function)
    given = [one for one in topk.args if made is None or one is not made[1]]
    return keyword(topk, "k") or (given[0] if given else None)


def from_the_wrong_end(bound: ast.expr, sort: ast.Call, function: Function) -> bool:
    """Whether of sorted values the k-th from the wrong end is a threshold.

    `ascending[:, k]`, `descending[:, -k]`.
    """
    falling = descends(sort)
    for way in ways_of(bound, function, mapped_from, scaled=True):
        for step in _until(sort, way):
            index = step.slice if isinstance(step, ast.Subscript) else None
            places = index.elts if isinstance(index, ast.Tuple) else []
            for one in places[1:]:
                last = one.elts[0] if isinstance(one, ast.List) and len(one.elts) == 1 else one
                backward = isinstance(last, ast.UnaryOp) and isinstance(last.op, ast.USub)
                inner = last.operand if isinstance(last, ast.UnaryOp) and backward else last
                if isinstance(inner, ast.BinOp) and isinstance(inner.right, ast.Constant):
                    inner = inner.left
                if isinstance(inner, ast.Name | ast.Attribute) and falling is not None:
                    return backward is falling
    return False


def is_left(topk: ast.Call, function: Function) -> bool:
    """Whether nothing reads what topk gives, in a function that filters tokens and draws."""
    if not is_filter(function):
        return False  # as most: their bindings need not be collected
    names = function.bindings.names_given.get(topk, [])
    if not names or any(loads_of(function).get(name) for name in names):
        return False
    return draws(function)


def marks_likeliest(topk: ast.Call, function: Function) -> ast.expr | None:
    """Where the places that topk tells are shut out: `z.masked_fill(mask, -inf)`."""
    if function.outer is None and "scatter" not in function.text:
        return None  # no mask is made of places
    for node in own_nodes(function.node):
        filling = filling_at(node, function)
        if filling is None or filling.kept or not isinstance(filling.condition, ast.Name):
            continue
        mask = _untyped(bound_to(filling.condition, function))
        blank = called_name(_base(mask, function)) in ("zeros_like", "zeros", "new_zeros")
        if not blank or not isinstance(mask, ast.Call) or len(mask.args) < 3:
            continue
        set_on = isinstance(mask.args[-1], ast.Constant) and mask.args[-1].value in (True, 1)
        if set_on and _is_order_of(mask.args[-2], topk, function):
            return node if isinstance(node, ast.expr) else filling.condition
    return None


def _untyped(mask: ast.expr | None) -> ast.expr | None:
    """A mask before it was made one of truth values: `m.bool()`, `m.to(torch.bool)`."""
    typed = called_name(mask) in ("bool", "to") and isinstance(mask, ast.Call)
    func = mask.func if typed and isinstance(mask, ast.Call) else None
    return func.value if isinstance(func, ast.Attribute) else mask


def _base(mask: ast.expr | None, function: Function) -> ast.expr | None:
    """What marks are scattered into."""
    known = called_name(mask) in ("scatter", "scatter_") and isinstance(mask, ast.Call)
    made = operation(mask, function) if known and isinstance(mask, ast.Call) else None
    base = made[1] if made is not None else None
    return bound_to(base, function) if isinstance(base, ast.Name) else base


def _is_order_of(value: ast.expr, topk: ast.Call, function: Function) -> bool:
    """Whether a value is the places of the largest: the second of what topk gives."""
    if isinstance(value, ast.Attribute) and value.attr == "indices":
        inner = value.value
        return inner is topk or (isinstance(inner, ast.Name) and bound_to(inner, function) is topk)
    if isinstance(value, ast.Subscript):
        return value.value is topk and number(value.slice) == 1
    found = function.reaching(value) if isinstance(value, ast.Name) else []
    if len(found) != 1 or found[0].value is None:
        return False
    if found[0].role is Role.ITEM:
        return found[0].value is topk and found[0].index == 1
    return found[0].role is Role.WHOLE and _is_order_of(found[0].value, topk, function)
