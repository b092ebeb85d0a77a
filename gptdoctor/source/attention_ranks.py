"""How many dimensions the keys of an attention have at the least, by what the text does to them.

The number of dimensions may be written nowhere, and still show: a transpose of dimensions 1 and 2
needs three, a helper gives what it was given with all four named, and keys have as many as the
values that they stand for.
"""

from __future__ import annotations

import ast

from gptdoctor.source.attention_text import Attention, Did, attentions_of, layer_of, trail_of
from gptdoctor.source.batch_order import KEEPING, size_of
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import turn_of
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.matrix_products import equation_of, sides
from gptdoctor.source.memory_order import KEEPING_RANK, rank_of
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project

DEEPEST = 8  # expressions followed from one to the next


def least_rank(project: Project, value: ast.expr, function: Function, depth: int = 0) -> int:
    """The fewest dimensions that a tensor has by the text, or 0."""
    if depth > DEEPEST:
        return 0
    exact = rank_of(project, value, function)
    if exact:
        return exact
    if isinstance(value, ast.Name):
        return _of_name(project, value, function, depth + 1)
    turn = turn_of(value, function)
    if turn is not None:
        needed = turn.least_rank if turn.spelling != "T" else 0
        return max(needed, least_rank(project, turn.base, function, depth + 1))
    return _of_call(project, value, function, depth + 1) if isinstance(value, ast.Call) else 0


def _of_name(project: Project, name: ast.Name, function: Function, depth: int) -> int:
    """What all values of a name have, as far as they tell; one that does not is no objection."""
    found = [one for one in function.reaching(name) if one.role is not Role.CHANGED]
    if len(found) == 1 and found[0].role is Role.ARGUMENT:
        # A function around this one may have the argument; of that one nothing is known here.
        only = len(function.bindings.by_name.get(name.id, ())) == 1
        return _indexed(function).get(name.id, 0) if only else 0
    values = [one.value for one in found if one.role is Role.WHOLE and one.value is not None]
    told = [least_rank(project, one, function, depth) for one in values]
    known = [one for one in told if one]
    return min(known) if known else 0


@kept(64)
def _indexed(function: Function) -> dict[str, int]:
    """The dimensions that names must have whose sizes are asked or whose places are cut."""
    found: dict[str, int] = {}
    for node in own_nodes(function.node):
        sized = size_of(node) if isinstance(node, ast.expr) else None
        if sized is not None and sized[1] >= 0:
            found[sized[0]] = max(found.get(sized[0], 0), sized[1] + 1)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            places = node.slice.elts
            plain = all(isinstance(one, ast.Slice) for one in places)
            if plain and isinstance(node.value, ast.Name):
                found[node.value.id] = max(found.get(node.value.id, 0), len(places))
    return {name: rank for name, rank in found.items() if name not in _asked(function)}


@kept(64)
def _asked(function: Function) -> frozenset[str]:
    """The names whose number of dimensions is asked: the function is ready for several."""
    return frozenset(
        node.value.id
        for node in own_nodes(function.node)
        if isinstance(node, ast.Attribute)
        and node.attr in ("ndim", "dim")
        and isinstance(node.value, ast.Name)
    )


def _of_call(project: Project, call: ast.Call, function: Function, depth: int) -> int:
    callee = callee_of(project, function, call)
    if callee is not None:
        told = [least_rank(project, one, callee, depth) for one in callee.returned]
        return min(told) if told else 0
    if self_attribute(call.func):
        layer = (layer_of(project, function, call.func) or "") if len(call.args) == 1 else ""
        kept = KEEPING.match(layer) is not None
        return least_rank(project, call.args[0], function, depth) if kept else 0
    base = operand(call, function)
    if called_name(call) in KEEPING_RANK and base is not None:
        return least_rank(project, base, function, depth)
    return 0


def least_rank_of_keys(project: Project, keys: ast.expr, function: Function) -> int:
    """The fewest dimensions of keys, by the values of their attention: `q @ KEYS.T`, or 0."""
    if not _is_argument(keys, function):
        return 0
    for attention in attentions_of(project, function):
        if not any(_multiplies(product, keys) for product in attention.products):
            continue
        given = sides(attention.product)
        if len(given) == 2 and _is_argument(given[1], function):
            own = least_rank(project, given[1], function)
            return max(own, _rank_of_result(project, attention))
    return 0


def _multiplies(product: ast.expr, keys: ast.expr) -> bool:
    """Whether the right side of a product is these keys, turned."""
    given = sides(product)
    turned = given[1] if len(given) == 2 and equation_of(product) is None else None
    if isinstance(turned, ast.Call) and isinstance(turned.func, ast.Attribute):
        turned = turned.func
    return isinstance(turned, ast.Attribute) and turned.value is keys


def _is_argument(value: ast.expr, function: Function) -> bool:
    if not isinstance(value, ast.Name):
        return False
    found = function.reaching(value)
    only = len(found) == 1 and found[0].role is Role.ARGUMENT
    return only and value.id not in _asked(function)


def _rank_of_result(project: Project, attention: Attention) -> int:
    """The dimensions that what an attention gives must have to be turned as it is."""
    function, needed = attention.function, 0
    for node in own_nodes(function.node):
        turn = turn_of(node, function) if isinstance(node, ast.Attribute | ast.Call) else None
        if turn is None or turn.least_rank <= max(needed, 2):
            continue
        steps = list(trail_of(project, function).back(turn.base))
        if [one.did for one in steps] == [Did.PRODUCT] and steps[0].node is attention.product:
            needed = turn.least_rank
    return needed
