"""A temperature whose scaled logits only choose an order: tokens are drawn from others."""

from __future__ import annotations

import ast

from gptdoctor.source.draws import draw_at, mapped_from, scaling_of
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.names import called_name
from gptdoctor.source.temperature import NAME
from gptdoctor.source.temperature_numbers import direction
from gptdoctor.source.value_ways import operation, ways_of

# What tells the places of the largest, which no temperature changes.
ORDERS = frozenset({"topk", "sort", "argsort", "argmax"})


def scaled_beside(node: ast.AST, function: Function) -> tuple[str, ast.expr] | None:
    """The temperature, and what is drawn from without it, though its scaled logits lie beside."""
    draw = draw_at(node, function)
    if draw is None:
        return None
    scaled = [one for one in own_nodes(function.node) if _scales(one, function)]
    if len(scaled) != 1 or not isinstance(scaled[0], ast.Assign):
        return None
    target = scaled[0].targets[0]
    if not isinstance(target, ast.Name) or not _orders_only(target.id, function):
        return None
    if any(_mentions(one, target.id, scaled[0]) for one in own_nodes(function.node)):
        return None
    ways = ways_of(draw.given, function, _picked_from, scaled=True)
    picks = [step for way in ways[:1] for step in way.steps if called_name(step) == "gather"]
    if not ways or any(_meets(way.steps, way.source, target.id, function) for way in ways):
        return None
    scaling = scaling_of(scaled[0].value, function)
    number = direction(scaling.number, function) if scaling is not None else None
    place = picks[0] if picks and isinstance(picks[0], ast.expr) else draw.given
    return None if number is None else (number[0], place)


def _scales(node: ast.AST, function: Function) -> bool:
    """Whether a statement is an assignment of what a temperature scaled."""
    value = node.value if isinstance(node, ast.Assign) else None
    scaling = scaling_of(value, function) if value is not None else None
    return scaling is not None and direction(scaling.number, function) is not None


def _picked_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a draw is made of, the picks of some tokens among them."""
    made = operation(value, function)
    if made is not None and made[0] in ("gather", "take_along_dim"):
        return [made[1]]
    return mapped_from(value, function)


def _orders_only(name: str, function: Function) -> bool:
    """Whether a value is read for the places of its largest numbers alone, or handed out."""
    loads = loads_of(function).get(name, [])
    read = {part for value in function.returned for part in [value, *ast.iter_child_nodes(value)]}
    for node in own_nodes(function.node):
        order = node.value if isinstance(node, ast.Attribute) and node.attr == "indices" else node
        made = operation(order, function) if isinstance(order, ast.Call) else None
        if made is None or made[0] not in ORDERS or not isinstance(made[1], ast.Name):
            continue
        if order is not node or made[0] in ("argsort", "argmax") or _second_alone(order, function):
            read.add(made[1])
    return bool(loads) and all(one in read for one in loads)


def _second_alone(call: ast.AST, function: Function) -> bool:
    """Whether of a pair only the second has a name that is read: `_, keep = z.topk(k)`."""
    names = function.bindings.names_given.get(call, []) if isinstance(call, ast.expr) else []
    known = [one for name in names for one in function.bindings.by_name[name] if one.value is call]
    first = [one.name for one in known if one.role is Role.ITEM and one.index == 0]
    whole = any(one.role is not Role.ITEM for one in known)
    return bool(known) and not whole and not any(loads_of(function).get(one) for one in first)


def _mentions(node: ast.AST, name: str, statement: ast.AST) -> bool:
    """Whether a temperature is asked for in a test: what is drawn from may differ by it."""
    if not isinstance(node, ast.If | ast.IfExp):
        return False
    names = (getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(node.test))
    return any(NAME.search(one) for one in names)


def _meets(
    steps: tuple[ast.AST, ...], source: ast.expr | None, name: str, function: Function
) -> bool:
    """Whether a way has a scaling on it, or begins where the temperature may have a part."""
    if any(scaling_of(step, function) is not None for step in steps):
        return True
    parts = list(ast.walk(source)) if source is not None else []
    named = (getattr(one, "id", getattr(one, "attr", "")) for one in parts)
    return any(one == name or NAME.search(one) for one in named)
