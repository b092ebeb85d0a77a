"""Tables and ranges that masks are drawn from: ones, `full`, `arange`, the diagonal of a tril."""

from __future__ import annotations

import ast

from gptdoctor.source.float_values import is_float
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.mask_forms import HIDING, Kind, Mask, Region, typed
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.text_values import bound_to, number_of

FULL = frozenset({"ones", "ones_like", "new_ones", "full", "full_like", "new_full"})
TRIANGLES = frozenset({"tril", "triu", "tril_", "triu_"})
DEEPEST = 12  # expressions followed from one to the next


def operand(call: ast.Call, function: Function) -> ast.expr | None:
    """The tensor that an operation works on: its receiver, or its first argument."""
    qualified = function.module.names.called(call) or ""
    root = qualified.partition(".")[0]
    if isinstance(call.func, ast.Attribute) and root not in ("torch", "numpy", "einops"):
        return call.func.value
    named = [one.value for one in call.keywords if one.arg == "input"]
    return next(iter([*call.args, *named]), None)


def full_table(name: str, call: ast.Call, function: Function) -> Mask | None:
    """A table that is set everywhere: ones, True, or what hides a score."""
    named = {one.arg: one.value for one in call.keywords}
    if name in ("ones", "ones_like", "new_ones"):
        like = operand(call, function)
        plain = name == "ones" or (like is not None and is_float(like, function))
        usual = Kind.NUMBER if plain else Kind.UNKNOWN
        return Mask(typed(named.get("dtype"), usual, function), None)
    place = 0 if name == "new_full" and len(call.args) < 2 else 1
    value = named.get("fill_value") or (call.args[place] if len(call.args) > place else None)
    if isinstance(value, ast.Constant) and value.value is True:
        return Mask(typed(named.get("dtype"), Kind.BOOL, function), None)
    known = number_of(value, function)
    if known is None:
        return None
    if known <= HIDING:
        return Mask(Kind.ADDITIVE, None, value=known)
    usual = Kind.NUMBER if name == "full" and isinstance(value, ast.Constant) else Kind.UNKNOWN
    return Mask(typed(named.get("dtype"), usual, function), None) if known == 1.0 else None


def diagonal_of(call: ast.Call, function: Function) -> int | None:
    """The diagonal of a tril or triu, where it is written as a number."""
    given = [one for one in call.args if one is not operand(call, function)]
    given += [one.value for one in call.keywords if one.arg in ("diagonal", "k")]
    found = number_of(given[0], function) if given else 0.0
    return int(found) if found is not None and found == int(found) else None


def is_square(table: ast.expr | None, function: Function) -> bool:
    """Whether a table has as many rows as columns, by its text; one like the scores counts."""
    if isinstance(table, ast.Name):
        return is_square(bound_to(table, function), function)
    if not isinstance(table, ast.Call):
        return False
    name = called_name(table)
    if name in ("ones_like", "full_like"):
        return True
    if name not in FULL:
        return is_square(operand(table, function), function)
    sizes: list[ast.expr] = list(table.args)
    if name in ("full", "new_full"):
        sizes = sizes[:1]
    if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
        sizes = list(sizes[0].elts)
    return len(sizes) > 1 and text_of(sizes[-1]) == text_of(sizes[-2])


def ranges_compared(value: ast.Compare, function: Function) -> Region | None:
    """`i[:, None] >= i[None, :]`: the rows are the positions that look."""
    sides = [_standing(one, function) for one in (value.left, value.comparators[0])]
    if None in sides or sides[0] == sides[1]:
        return None
    operator = type(value.ops[0])
    if sides[0] == "column":
        turned = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
        operator = turned.get(operator, operator)
    regions = {ast.GtE: (True, 0), ast.Gt: (True, -1), ast.LtE: (False, 0), ast.Lt: (False, 1)}
    square = _length(value.left, function) == _length(value.comparators[0], function)
    return Region(*regions[operator], square) if operator in regions else None


def _length(value: ast.expr, function: Function) -> str:
    """The text of how long the range in an expression is."""
    for node in every_node(value):
        bound = bound_to(node, function) if isinstance(node, ast.Name) else None
        if bound is not None:
            return _length(bound, function) if bound is not value else ""
        if isinstance(node, ast.Call) and called_name(node) == "arange":
            return " ".join(text_of(one) for one in node.args)
    return ""


def _standing(value: ast.expr, function: Function, depth: int = 0) -> str | None:
    """Whether a range of positions lies along the rows or along the columns."""
    if depth > DEEPEST:
        return None
    if isinstance(value, ast.Name):
        bound = bound_to(value, function)
        return None if bound is None else _standing(bound, function, depth + 1)
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Tuple):
        places = value.slice.elts
        inner = _standing(value.value, function, depth + 1)
        if inner != "column" or len(places) != 2 or not _is_plain_range(value.value, function):
            return None
        return "row" if text_of(places[1]) == "None" else "column"
    if not isinstance(value, ast.Call):
        return None
    name, base = called_name(value), operand(value, function)
    if name == "arange":
        return "column" if _starts_at_zero(value, function) else None
    given = [one for one in value.args if one is not base]
    if base is None or not _is_plain_range(base, function):
        return None
    if name == "unsqueeze" and given:
        return {"1": "row", "-1": "row", "0": "column", "-2": "column"}.get(text_of(given[0]))
    if name in ("view", "reshape") and len(given) == 2:
        return "row" if text_of(given[1]) == "1" else "column"
    return None


def _is_plain_range(value: ast.expr, function: Function) -> bool:
    if isinstance(value, ast.Name):
        bound = bound_to(value, function)
        return bound is not None and _is_plain_range(bound, function)
    plain = isinstance(value, ast.Call) and called_name(value) == "arange"
    return plain and isinstance(value, ast.Call) and _starts_at_zero(value, function)


def _starts_at_zero(call: ast.Call, function: Function) -> bool:
    return len(call.args) == 1 or number_of(call.args[0] if call.args else None, function) == 0.0
