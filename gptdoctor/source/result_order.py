"""Which dimension of a layer's result is the batch, by what its method does with the result.

`out[:, -1]` takes the last of what lies along dimension 1, and `out.mean(dim=1)` goes over all of
it: of a result with time first that would be rows of a batch, which have no last one.
"""

from __future__ import annotations

import ast
import re

from gptdoctor.source.attention_text import layer_of
from gptdoctor.source.batch_order import KEEPING, PASSING, size_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number, turn_of
from gptdoctor.source.literals import takes_all
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to

# With one of these in a method, a dimension may have been put where the text does not show it.
_MOVING = re.compile(
    r"transpose|permute|swap(axes|dims)|move(dim|axis)|rearrange|einops|\.(m?T|H)\b|\.t\(|unsqueeze"
    r"|\.(view|reshape)\(|stack\(|unbind|packed|PackedSequence|time_?first|time_?major|seq_?first"
)
# What goes over all positions of a text and leaves one vector.
_POOLING = frozenset({"mean", "sum", "max", "amax", "logsumexp", "median"})
_FRESH = frozenset({"zeros", "new_zeros", "randn", "rand"})
_ELSEWHERE = frozenset({"to", "cuda", "requires_grad_", "detach", "type_as"})
_CONVOLUTION = re.compile(r"torch\.nn\.(Lazy)?Conv\dd$")
DEEPEST = 12  # expressions followed from one to the next


def results_have_batch_first(project: Project, call: ast.Call, function: Function) -> bool:
    """Whether a method reads the result of a layer as [B, T, ...], and never moved a dimension."""
    if not any(_reads_time(node, call, project, function) for node in own_nodes(function.node)):
        return False
    given = call.args[0] if call.args else None
    moved = _MOVING.search(function.text) is not None
    return not moved or (given is not None and keeps_batch_first(project, given, function))


def begins_with_rows_of(call: ast.Call, name: str, function: Function) -> bool:
    """Whether the first state of a recurrent layer has as many rows as a tensor's dimension 0.

    `rnn(x, torch.zeros(layers, x.size(0), width))`: a state is [layers, B, width] in any case.
    """
    given = call.args[1] if len(call.args) > 1 else None
    state = given.elts[0] if isinstance(given, ast.Tuple) and given.elts else given
    for _ in range(DEEPEST):
        if isinstance(state, ast.Name):
            state = bound_to(state, function)
        elif isinstance(state, ast.Call) and called_name(state) in _ELSEWHERE:
            state = operand(state, function)
    if not isinstance(state, ast.Call) or called_name(state) not in _FRESH:
        return False
    sizes = state.args[0] if len(state.args) == 1 else None
    given_sizes = sizes.elts if isinstance(sizes, ast.Tuple | ast.List) else state.args
    if len(given_sizes) != 3:
        return False
    rows = given_sizes[1]
    rows = (bound_to(rows, function) or rows) if isinstance(rows, ast.Name) else rows
    return size_of(rows) == (name, 0)


def keeps_batch_first(
    project: Project, value: ast.expr, function: Function, depth: int = 0
) -> bool:
    """Whether a value is what a convolution gave, or a join along dimension 1, the batch first."""
    if depth > DEEPEST:
        return False
    if isinstance(value, ast.Name):
        bound = bound_to(value, function)
        return bound is not None and keeps_batch_first(project, bound, function, depth + 1)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return keeps_batch_first(project, value.left, function, depth + 1)
    if not isinstance(value, ast.Call):
        return False
    name, base = called_name(value), operand(value, function)
    if self_attribute(value.func) is not None:
        layer = layer_of(project, function, value.func) or ""
        if _CONVOLUTION.match(layer):
            return True
        keeps = KEEPING.match(layer) and len(value.args) == 1
        return bool(keeps) and keeps_batch_first(project, value.args[0], function, depth + 1)
    turn = turn_of(value, function)
    if turn is not None:
        order = turn.apply((0, 1, 2))
        stays = order is not None and order[0] == 0
        return stays and keeps_batch_first(project, turn.base, function, depth + 1)
    if name in ("cat", "concat") and isinstance(base, ast.List | ast.Tuple):
        joined = base.elts
        return _dimension(value, 1) == 1 and any(
            keeps_batch_first(project, one, function, depth + 1) for one in joined
        )
    method = isinstance(value.func, ast.Attribute) and base is value.func.value
    flat = name == "flatten" and _dimension(value, 0 if method else 1) == 2
    if base is not None and (flat or name in PASSING or name in ("relu", "gelu", "silu")):
        return keeps_batch_first(project, base, function, depth + 1)
    return False


def _reads_time(node: ast.AST, call: ast.Call, project: Project, function: Function) -> bool:
    """Whether a node takes one position of a result, or goes over all, along dimension 1."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        places = node.slice.elts
        rest = all(takes_all(one) for one in places[2:])
        first = places[0]
        one_position = len(places) in (2, 3) and takes_all(first) and number(places[1]) in (0, -1)
        return rest and one_position and _is_of(node.value, call, project, function)
    if isinstance(node, ast.Call) and called_name(node) in _POOLING:
        base = operand(node, function)
        method = isinstance(node.func, ast.Attribute) and base is node.func.value
        if base is None or _dimension(node, 0 if method else 1) != 1:
            return False
        return _is_of(base, call, project, function)
    return False


def _is_of(value: ast.expr, call: ast.Call, project: Project, function: Function) -> bool:
    """Whether a value is the result of a call, as it is or after layers that keep its order."""
    first = False  # whether the first of several results was taken
    for _ in range(DEEPEST):
        if value is call:
            return True
        if isinstance(value, ast.Name):
            found = [one for one in function.reaching(value) if one.role is not Role.CHANGED]
            if len(found) != 1 or found[0].value is None:
                return False
            if found[0].role is Role.ITEM:
                return found[0].index == 0 and found[0].value is call
            if found[0].role is not Role.WHOLE:
                return False
            value = found[0].value
        elif isinstance(value, ast.Subscript) and number(value.slice) == 0 and not first:
            first, value = True, value.value
            if value is not call:
                return False
        elif isinstance(value, ast.Call):
            before = _before(value, project, function)
            if before is None:
                return False
            value = before
        else:
            return False
    return False


def _before(call: ast.Call, project: Project, function: Function) -> ast.expr | None:
    if self_attribute(call.func) is None:
        return operand(call, function) if called_name(call) in PASSING | {"relu", "tanh"} else None
    layer = layer_of(project, function, call.func) or ""
    return call.args[0] if KEEPING.match(layer) and len(call.args) == 1 else None


def _dimension(call: ast.Call, place: int) -> int | None:
    """The dimension that a call names."""
    named = [one.value for one in call.keywords if one.arg in ("dim", "axis", "start_dim")]
    given = named[0] if named else call.args[place] if len(call.args) > place else None
    return None if given is None else number(given)
