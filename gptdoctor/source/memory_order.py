"""How a tensor lies in memory after its dimensions were turned, as far as the text tells.

A view needs dimensions that lie one behind the other; a transpose moves the names of dimensions,
and leaves the numbers where they are.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise

from gptdoctor.source.attention_text import layer_of
from gptdoctor.source.batch_order import KEEPING, shape_of
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.documented_shapes import documented_rank
from gptdoctor.source.flow_calls import callers_here
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.flow_turns import Turn, number, turn_of
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.matrix_products import equation_of, is_product
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to, kept_in

# Layers of torch.nn whose results lie in memory as they are counted.
DENSE = frozenset({"torch.nn.Linear", "torch.nn.Embedding", "torch.nn.LayerNorm"})
# So do these, but for pictures that are laid out with their channels last.
CONVOLUTIONS = re.compile(r"torch\.nn\.((Lazy)?Conv(Transpose)?|(Adaptive)?(Max|Avg)Pool)([123])d$")
# These leave a tensor as it lies.
PLACING = re.compile(
    r"torch\.nn\.(Dropout\w*|ReLU6?|LeakyReLU|GELU|SiLU|ELU|Tanh|Sigmoid|Identity|BatchNorm\dd)$"
)
# The first result of these has as many dimensions as what they are given.
OF_SEVERAL = frozenset(f"torch.nn.{name}" for name in ("LSTM", "GRU", "RNN", "MultiheadAttention"))
SPLITS = frozenset({"chunk", "split"})
DEEPEST = 12


def turned(value: ast.expr, function: Function, depth: int = 0) -> Turn | None:
    """The transpose that an expression is, itself or by its one name, and nothing after it."""
    if isinstance(value, ast.Name) and depth < DEEPEST:
        bound = bound_to(value, function)
        return None if bound is None else turned(bound, function, depth + 1)
    return turn_of(value, function)


def sizes_of(call: ast.Call, function: Function) -> list[ast.expr] | None:
    """The sizes that a view is given one by one, or None where they are not written down."""
    given = list(call.args)
    if (function.module.names.called(call) or "").startswith("torch."):
        given = given[1:] or [one.value for one in call.keywords if one.arg == "shape"]
    spread = given[0].value if len(given) == 1 and isinstance(given[0], ast.Starred) else None
    if spread is not None:
        given = [spread]
    if len(given) == 1 and isinstance(given[0], ast.Name):
        bound = bound_to(given[0], function)
        given = [bound] if isinstance(bound, ast.Tuple | ast.List) else given
    if len(given) == 1 and isinstance(given[0], ast.Tuple | ast.List):
        given = list(given[0].elts)
    elif len(given) == 1 and number(given[0]) != -1:
        return None  # a shape, or a type
    return None if any(isinstance(one, ast.Starred) for one in given) else given


def added_to_shape(call: ast.Call, function: Function) -> int | None:
    """How many dimensions more a view has than the tensor, where its own shape is cut and added to.

    -1 for `x.view(x.size()[:-2] + (width,))`, by a name or starred as well; None for other forms.
    """
    given = call.args[0] if len(call.args) == 1 else None
    given = given.value if isinstance(given, ast.Starred) else given
    given = bound_to(given, function) if isinstance(given, ast.Name) else given
    if not isinstance(given, ast.BinOp) or not isinstance(given.op, ast.Add):
        return None
    kept, added = given.left, given.right
    if not isinstance(kept, ast.Subscript) or not isinstance(added, ast.Tuple | ast.List):
        return None
    cut = kept.slice.upper if isinstance(kept.slice, ast.Slice) else None
    left_out = None if cut is None else number(cut)
    whole = isinstance(kept.slice, ast.Slice) and not (kept.slice.lower or kept.slice.step)
    own = isinstance(call.func, ast.Attribute) and shape_of(kept.value) == text_of(call.func.value)
    if not own or not whole or left_out is None or left_out >= 0:
        return None
    return len(added.elts) + left_out


def dense_rank(project: Project, value: ast.expr, function: Function, depth: int = 0) -> int | None:
    """How many dimensions a tensor has that lies in memory as it is counted; None: unknown.

    0 stands for one whose number of dimensions is unknown, and which lies so.
    """
    if depth > DEEPEST:
        return None
    if isinstance(value, ast.Name):
        bound = bound_to(value, function)
        if bound is None:
            return _dense_rank_given(project, value, function, depth + 1)
        return dense_rank(project, bound, function, depth + 1)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.MatMult):
        return max(rank_of(project, value.left, function), 0)
    if not isinstance(value, ast.Call):
        return None
    if self_attribute(value.func):
        return _rank_of_dense_layer(project, value, function, depth)
    if isinstance(value.func, ast.Name) and value.func.id == "self":
        forward = forward_of(project, function)
        return None if forward is None else _rank_returned(project, forward, depth)
    if is_product(value):
        return None if equation_of(value) else max(_product_rank(project, value, function), 0)
    name, base = called_name(value), operand(value, function)
    if base is None:
        return None
    if name == "contiguous":
        return rank_of(project, base, function)
    if name in ELEMENTWISE:
        return dense_rank(project, base, function, depth + 1)
    if name in ("view", "reshape"):
        sizes = sizes_of(value, function)
        inner = dense_rank(project, base, function, depth + 1)
        if sizes is None or inner is None or any(number(one) == 1 for one in sizes):
            return None  # a dimension of one may lie anywhere
        return len(sizes)
    return None


def _dense_rank_given(
    project: Project, name: ast.Name, function: Function, depth: int
) -> int | None:
    """The same of a parameter, by what all callers of a helper give for it."""
    found = function.reaching(name)
    given = len(found) == 1 and found[0].role is Role.ARGUMENT and function.name != "forward"
    sites = callers_here(project, function) if given else []
    values = [(site.argument(function, name.id), site) for site in sites if not site.handed_on]
    ranks = [
        None if value is None else dense_rank(project, value, site.function, depth)
        for value, site in values
    ]
    known = {rank for rank in ranks if rank is not None}
    return (
        known.pop() if len(known) == 1 and len(values) == len(sites) and None not in ranks else None
    )


def _rank_of_dense_layer(
    project: Project, call: ast.Call, function: Function, depth: int
) -> int | None:
    """The same of what a layer of the class gives, or one of its methods; 0: unknown."""
    name = self_attribute(call.func) or ""
    if function.owner is not None and name in function.owner.methods:
        callee = callee_of(project, function, call)
        return None if callee is None else _rank_returned(project, callee, depth)
    kept = kept_in(project, function, name)
    if kept is None:
        return None
    placed = PLACING.match(kept[1].module.names.called(kept[0]) or "") is not None
    if placed and len(call.args) == 1:
        return dense_rank(project, call.args[0], function, depth + 1)
    return _rank_made(kept[0], kept[1])


def _rank_made(built: ast.expr, function: Function) -> int | None:
    """What the last layer makes that moves numbers; of several in a row, those before it count."""
    kind = function.module.names.called(built) or ""
    if kind in DENSE:
        return 0
    convolution = CONVOLUTIONS.match(kind)
    if convolution is not None and "channels_last" not in function.module.text:
        return int(convolution[6]) + 2
    if kind == "torch.nn.Sequential" and isinstance(built, ast.Call):
        for layer in reversed(built.args):
            if not PLACING.match(function.module.names.called(layer) or ""):
                return _rank_made(layer, function)
    return None


def _rank_returned(project: Project, callee: Function, depth: int) -> int | None:
    if len(callee.returned) != 1 or isinstance(callee.returned[0], ast.Tuple):
        return None
    return dense_rank(project, callee.returned[0], callee, depth + 1)


def forward_of(project: Project, function: Function) -> Function | None:
    """The forward pass that `self(...)` runs, where the class itself defines it."""
    owner = function.owner
    node = owner.methods.get("forward") if owner is not None else None
    return None if owner is None or node is None else functions_of(project, owner.module).get(node)


def _product_rank(project: Project, call: ast.Call, function: Function) -> int:
    if called_name(call) in ("bmm", "baddbmm"):
        return 3
    base = operand(call, function)
    return 0 if base is None else rank_of(project, base, function)


def rank_of(project: Project, value: ast.expr, function: Function, depth: int = 0) -> int:
    """The number of dimensions of a tensor where the text tells it, or 0."""
    if depth > DEEPEST:
        return 0
    if isinstance(value, ast.Name):
        return _rank_of_name(project, value, function, depth + 1)
    turn = turn_of(value, function)
    if turn is not None:
        exact = turn.least_rank if turn.spelling.startswith("permute") else 0
        return exact or rank_of(project, turn.base, function, depth + 1)
    if isinstance(value, ast.BinOp):
        left = rank_of(project, value.left, function, depth + 1)
        return left or rank_of(project, value.right, function, depth + 1)
    return _rank_of_call(project, value, function, depth + 1) if isinstance(value, ast.Call) else 0


def _rank_of_name(project: Project, name: ast.Name, function: Function, depth: int) -> int:
    """By its one value, by its place among several, or as its own shape is unpacked."""
    found = [one for one in function.reaching(name) if one.role is not Role.CHANGED]
    one = found[0] if len(found) == 1 else None
    if one is None:
        return 0
    if one.role is Role.ARGUMENT:
        return _unpacked(function).get(name.id, 0) or documented_rank(function, name.id)
    if one.value is None or one.role not in (Role.WHOLE, Role.ITEM):
        return 0
    if one.role is Role.WHOLE:
        return rank_of(project, one.value, function, depth)
    if isinstance(one.value, ast.ListComp | ast.GeneratorExp):
        return rank_of(project, one.value.elt, function, depth)
    if isinstance(one.value, ast.Call) and called_name(one.value) in SPLITS:
        base = operand(one.value, function)
        return 0 if base is None else rank_of(project, base, function, depth)
    if isinstance(one.value, ast.Call) and self_attribute(one.value.func) and one.index == 0:
        layer = layer_of(project, function, one.value.func) or ""
        kept = layer in OF_SEVERAL and len(one.value.args) > 0
        return rank_of(project, one.value.args[0], function, depth) if kept else 0
    if isinstance(one.value, ast.Call) and called_name(one.value) in ("permute", "unbind", "view"):
        unbound = called_name(one.value) == "unbind"
        base = operand(one.value, function) if unbound else one.value
        return max(0 if base is None else rank_of(project, base, function, depth) - 1, 0)
    return 0


@kept(64)
def _unpacked(function: Function) -> dict[str, int]:
    """How many dimensions the parameters have whose shape is unpacked: `B, T, C = x.shape`."""
    found: dict[str, int] = {}
    for node in own_nodes(function.node):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Tuple):
            name = shape_of(node.value)
            if name is not None and not any(isinstance(one, ast.Starred) for one in target.elts):
                known = found.setdefault(name, len(target.elts))
                found[name] = known if known == len(target.elts) else 0
    return found


def _rank_of_call(project: Project, call: ast.Call, function: Function, depth: int) -> int:
    if self_attribute(call.func):
        layer = layer_of(project, function, call.func) or ""
        if layer == "torch.nn.Embedding" and len(call.args) == 1:
            ids = rank_of(project, call.args[0], function, depth)
            return ids + 1 if ids else 0
        kept = KEEPING.match(layer) or layer in DENSE - {"torch.nn.Embedding"}
        return rank_of(project, call.args[0], function, depth) if kept and call.args else 0
    equation = equation_of(call)
    if equation is not None:
        return 0 if "." in equation or "->" not in equation else len(equation.split("->")[1])
    name, base = called_name(call), operand(call, function)
    if name in ("view", "reshape"):
        sizes = sizes_of(call, function)
        return 0 if sizes is None or len(sizes) < 2 else len(sizes)
    if name in ("bmm", "baddbmm"):
        return 3
    return rank_of(project, base, function, depth) if name in KEEPING_RANK and base else 0


# These work on each number by itself, and lay their result out as they were given it.
ELEMENTWISE = frozenset(
    {"relu", "gelu", "silu", "tanh", "sigmoid", "dropout", "exp", "softplus", "elu", "leaky_relu"}
    | {"float", "half", "double", "clamp", "relu_", "softmax", "log_softmax", "mish", "hardswish"}
)
KEEPING_RANK = frozenset(
    {"softmax", "masked_fill", "masked_fill_", "contiguous", "float", "to", "type_as", "dropout"}
    | {"matmul", "clone", "half", "where", "tril", "triu", "mul", "div", "add"}
    | {"normalize", "relu", "gelu", "silu", "tanh", "sigmoid", "exp", "log_softmax", "layer_norm"}
    | {"bfloat16", "detach", "rms_norm", "softplus", "clamp"}
)


def unbroken_runs(order: tuple[int, ...]) -> int:
    """Of how many stretches of dimensions that lie one behind the other a turned tensor is made."""
    breaks = sum(second != first + 1 for first, second in pairwise(order))
    return breaks + 1
