"""Gates that are multiplied with values of the same positions, after batch and time were swapped.

`up * silu(gate).transpose(0, 1)`: both come of one input, and only one of them was turned.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.flow_turns import Turn, number, turn_of
from gptdoctor.source.kept import kept
from gptdoctor.source.matrix_products import equation_of
from gptdoctor.source.matrix_products import sides as product_sides
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.value_ways import operation

SWAPPING = ("transpose", "swapaxes", "swapdims", "permute", "movedim", "moveaxis")
# Change numbers, or the form of a tensor, and leave batch and time where they are.
MAPPING = frozenset({"softmax", "sigmoid", "tanh", "silu", "gelu", "relu", "softplus", "exp"})
FORMING = frozenset({"unsqueeze", "contiguous", "float", "to", "type_as", "expand", "clone"})
SPLITS = frozenset({"chunk", "split", "tensor_split"})
MULTIPLYING = frozenset({"mul", "multiply", "mul_"})
DEEPEST = 16


@dataclass(frozen=True, eq=False)
class _Origin:
    """What a tensor comes of: one input, by layers and operations that keep batch and time."""

    root: str
    mapped: bool  # a layer or an activation lies between
    turned: bool  # batch and time were swapped on the way


def names_first(call: ast.Call) -> bool:
    """Whether dimension 0 is written among those that a call turns."""
    return any(
        isinstance(one, ast.Tuple | ast.List) or (isinstance(one, ast.Constant) and one.value == 0)
        for one in (*call.args, *(given.value for given in call.keywords))
    )


def swaps_first_two(turn: Turn) -> bool:
    """Whether a turn swaps dimensions 0 and 1, and no other: by what is written in it."""
    given = turn.dimensions or ()
    if turn.spelling == "permute":
        return (
            len(given) > 2 and given[:3] == (1, 0, 2) and given[3:] == tuple(range(3, len(given)))
        )
    return sorted(given) == [0, 1]


def multiplied_with(turn: Turn, function: Function) -> ast.expr | None:
    """What such a gate is multiplied with that was not turned, or None."""
    gate = _origin(turn.base, function, 0)
    if gate is None or not gate.mapped or gate.turned:
        return None
    for product, side, other in _products(function):
        if text_of(other) == text_of(turn.base) or not _is_turned(side, turn, function, 0):
            continue  # of one tensor both ways round: a symmetric product
        partner = _origin(other, function, 0)
        same = partner is not None and partner.root == gate.root and not partner.turned
        if same and partner is not None and partner.mapped and not _turned_back(product, function):
            return other
    return None


@kept(16)
def _products(function: Function) -> tuple[tuple[ast.AST, ast.expr, ast.expr], ...]:
    """The products of a function that work number by number, from both sides."""
    return tuple(_products_in(function))


def _products_in(function: Function) -> Iterator[tuple[ast.AST, ast.expr, ast.expr]]:
    for node in own_nodes(function.node):
        sides: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            sides = [node.left, node.right]
        elif isinstance(node, ast.Call) and called_name(node) in MULTIPLYING:
            made = operation(node, function)
            others = [one for one in node.args if made is not None and one is not made[1]]
            sides = [made[1], others[0]] if made is not None and len(others) == 1 else []
        elif isinstance(node, ast.Call) and _same_positions(equation_of(node)):
            sides = product_sides(node)
        if len(sides) == 2:
            yield node, sides[0], sides[1]
            yield node, sides[1], sides[0]


def _same_positions(equation: str | None) -> bool:
    """Whether both sides of an einsum begin with the same two dimensions: "bte,bted->btd"."""
    parts = equation.partition("->")[0].split(",") if equation else []
    return len(parts) == 2 and len(parts[0]) > 2 and parts[0][:2] == parts[1][:2]


def _is_turned(value: ast.expr, turn: Turn, function: Function, depth: int) -> bool:
    """Whether a side of a product is what a turn makes, in another form."""
    if value is turn.node:
        return True
    if depth > DEEPEST:
        return False
    if isinstance(value, ast.Name):
        found = function.reaching(value)
        plain = len(found) == 1 and found[0].role is Role.WHOLE and found[0].value is not None
        inner = found[0].value if plain else None
        return inner is not None and _is_turned(inner, turn, function, depth + 1)
    if isinstance(value, ast.Subscript):  # gate[..., None]
        return not _picks(value) and _is_turned(value.value, turn, function, depth + 1)
    made = operation(value, function) if isinstance(value, ast.Call) else None
    known = made is not None and made[0] in FORMING | MAPPING
    if known and made is not None and isinstance(value, ast.Call) and made[0] == "unsqueeze":
        at = number(value.args[-1]) if value.args else None
        known = at is not None and (at < 0 or at > 1)
    return known and made is not None and _is_turned(made[1], turn, function, depth + 1)


def _picks(value: ast.Subscript) -> bool:
    """Whether an index does anything but add dimensions of one."""
    places = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
    return not all(
        isinstance(one, ast.Slice) or (isinstance(one, ast.Constant) and one.value in (None, ...))
        for one in places
    )


def _origin(value: ast.expr, function: Function, depth: int) -> _Origin | None:
    """The one input that a tensor comes of, position by position."""
    if depth > DEEPEST:
        return None
    if isinstance(value, ast.Name):
        return _origin_of_name(value, function, depth + 1)
    turn = turn_of(value, function)
    if turn is not None:
        inner = _origin(turn.base, function, depth + 1)
        swaps = swaps_first_two(turn)
        known = inner is not None and (swaps or set(turn.dimensions or ()) <= {-1, -2, 2, 3})
        return (
            _Origin(inner.root, inner.mapped, inner.turned is not swaps)
            if inner and known
            else None
        )
    if isinstance(value, ast.BinOp) and not isinstance(value.op, ast.MatMult):
        sides = [_origin(one, function, depth + 1) for one in (value.left, value.right)]
        return next((one for one in sides if one is not None), None)
    if isinstance(value, ast.Subscript):
        return None if _picks(value) else _origin(value.value, function, depth + 1)
    return _origin_of_call(value, function, depth + 1) if isinstance(value, ast.Call) else None


def _origin_of_name(name: ast.Name, function: Function, depth: int) -> _Origin | None:
    found = function.reaching(name)
    one = found[0] if len(found) == 1 else None
    if one is None:
        return None
    if one.role is Role.ARGUMENT:
        return _Origin(name.id, mapped=False, turned=False)
    value = one.value
    if one.role is Role.WHOLE and value is not None:
        return _origin(value, function, depth)
    split = one.role is Role.ITEM and called_name(value) in SPLITS
    made = operation(value, function) if split and value is not None else None
    return _origin(made[1], function, depth) if made is not None else None


def _origin_of_call(call: ast.Call, function: Function, depth: int) -> _Origin | None:
    if self_attribute(call.func) or _is_element(call.func, function):
        inner = _origin(call.args[0], function, depth) if len(call.args) == 1 else None
        method = function.owner is not None and called_name(call) in function.owner.methods
        return _Origin(inner.root, True, inner.turned) if inner and not method else None
    made = operation(call, function)
    if made is None:
        return None
    if made[0] == "stack":
        return _of_stack(call, made[1], function, depth)
    if made[0] in MAPPING | FORMING:
        inner = _origin(made[1], function, depth)
        return (
            _Origin(inner.root, inner.mapped or made[0] in MAPPING, inner.turned) if inner else None
        )
    return None


def _of_stack(call: ast.Call, parts: ast.expr, function: Function, depth: int) -> _Origin | None:
    """`torch.stack([expert(x) for ...], dim=-1)`; in front it would move the others."""
    named = [one.value for one in call.keywords if one.arg == "dim"]
    place = number(next(iter([*call.args[1:2], *named]), ast.Constant(0)))
    if place is None or 0 <= place < 2 or not isinstance(parts, ast.ListComp):
        return None
    return _origin(parts.elt, function, depth)


def _is_element(called: ast.expr, function: Function) -> bool:
    """Whether what is called is one of several layers, by the name of a comprehension."""
    found = function.reaching(called) if isinstance(called, ast.Name) else []
    one = found[0] if len(found) == 1 else None
    return (
        one is not None
        and one.role is Role.ELEMENT
        and one.value is not None
        and (self_attribute(one.value) is not None)
    )


def _turned_back(product: ast.AST, function: Function) -> bool:
    """Whether what the product makes, or anything by its name, is turned as well."""
    names = {
        node.targets[0].id
        for node in own_nodes(function.node)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and any(one is product for one in every_node(node.value))
    }
    loads = {load for name in names for load in loads_of(function).get(name, ())}
    for node in own_nodes(function.node):
        turn = turn_of(node, function) if isinstance(node, ast.Call) else None
        base = turn.base if turn is not None and swaps_first_two(turn) else None
        nodes = every_node(base) if base is not None else ()
        if any(one is product or one in loads for one in nodes):
            return True
    return False
