"""Which dimension of a tensor is the batch and which the time, by the names that a method gives.

`B, T, C = x.shape` names them; layers, splits and turns hand them on; a view whose sizes are these
names says what it takes them for.
"""

from __future__ import annotations

import ast

from gptdoctor.source.attention_text import layer_of
from gptdoctor.source.batch_order import BATCH, KEEPING, PASSING, TIME, shape_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number, turn_of
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.mask_uses import SDPA
from gptdoctor.source.matrix_products import equation_of, is_product, sides
from gptdoctor.source.memory_order import sizes_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements

# For each dimension: "batch", "time", "one" for one of a single number, or "" for any other.
Axes = tuple[str, ...]
SPLITS = frozenset({"chunk", "split", "tensor_split"})
SAME = PASSING | {"contiguous", "clone", "softmax", "tanh", "masked_fill", "sigmoid"}
DEEPEST = 20


@kept(64)
def named_sizes(function: Function) -> dict[str, tuple[str, str, int]]:
    """(parameter, "batch" or "time", number of names) by the name of a size; each named once."""
    found: dict[str, tuple[str, str, int]] = {}
    for node in own_statements(function.node):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Tuple):
            continue
        parameter, elements = shape_of(node.value), node.targets[0].elts
        words = [one.id if isinstance(one, ast.Name) else "" for one in elements]
        if parameter is None or len(words) not in (2, 3) or not BATCH.match(words[0]):
            continue
        if TIME.match(words[1]):
            found[words[0]] = (parameter, "batch", len(words))
            found[words[1]] = (parameter, "time", len(words))
    # A size that is bound again means something else from there on.
    return {name: said for name, said in found.items() if len(function.bindings.by_name[name]) == 1}


@kept(64)
def _sizes_given(function: Function) -> dict[str, tuple[str, str, int]]:
    """The same for a helper that is given the sizes: `def heads(self, x, seq_len, bsz)`."""
    given = function.parameter_names
    if not any(map(BATCH.match, given)) or not any(map(TIME.match, given)):
        return {}  # as most: their bindings need not be collected
    once = [one for one in given if len(function.bindings.by_name[one]) == 1]
    batches, times = ([one for one in once if kind.match(one)] for kind in (BATCH, TIME))
    if function.owner is None or len(batches) != 1 or len(times) != 1:
        return {}
    return {batches[0]: ("", "batch", 2), times[0]: ("", "time", 2)}


def _as_called(project: Project, parameter: str, function: Function, depth: int) -> Axes | None:
    """What the methods of a class give to such a helper, where all agree that tell."""
    owner, names = function.owner, function.parameter_names
    if owner is None or not _sizes_given(function) or parameter not in names:
        return None
    place, functions = names.index(parameter), functions_of(project, owner.module)
    told = set()
    for method in owner.methods.values():
        for call in own_nodes(method):
            if not isinstance(call, ast.Call) or self_attribute(call.func) != function.name:
                continue
            if len(call.args) > place:
                told.add(axes_of(project, call.args[place], functions[method], depth))
    told.discard(None)
    return told.pop() if len(told) == 1 else None


def axes_of(project: Project, value: ast.expr, function: Function, depth: int = 0) -> Axes | None:
    """The dimensions of a tensor, or None where they are not known."""
    if depth > DEEPEST:
        return None
    depth += 1
    if isinstance(value, ast.Name):
        return _of_name(project, value, function, depth)
    turn = turn_of(value, function)
    if turn is not None:
        base = axes_of(project, turn.base, function, depth)
        order = None if base is None else turn.apply(tuple(range(len(base))))
        return None if base is None or order is None else tuple(base[one] for one in order)
    if is_product(value):
        given = sides(value)
        plain = equation_of(value) is None and len(given) == 2
        return axes_of(project, given[1], function, depth) if plain else None
    if isinstance(value, ast.BinOp):
        return axes_of(project, value.left, function, depth)
    return _of_call(project, value, function, depth) if isinstance(value, ast.Call) else None


def _of_name(project: Project, name: ast.Name, function: Function, depth: int) -> Axes | None:
    found = function.reaching(name)
    one = found[0] if len(found) == 1 else None
    if one is None:
        return None
    # Where the shape of a name is unpacked that is bound once, this is what it is.
    named = [said for said in named_sizes(function).values() if said[0] == name.id]
    if len(named) == 2 and len(function.bindings.by_name.get(name.id, ())) == 1:
        return ("batch", "time", *[""] * (named[0][2] - 2))
    if one.role is Role.ARGUMENT:
        if len(named) == 2:
            return ("batch", "time", *[""] * (named[0][2] - 2))
        return _as_called(project, name.id, function, depth)
    value = one.value
    if one.role is Role.WHOLE and value is not None:
        return axes_of(project, value, function, depth)
    if one.role is Role.ELEMENT and isinstance(value, ast.Tuple | ast.List) and value.elts:
        return axes_of(project, value.elts[0], function, depth)
    if one.role is not Role.ITEM or value is None:
        return None
    if isinstance(value, ast.GeneratorExp | ast.ListComp):
        return axes_of(project, value.elt, function, depth)
    if isinstance(value, ast.Call) and called_name(value) in SPLITS:
        base = operand(value, function)
        return None if base is None else axes_of(project, base, function, depth)
    base_axes = axes_of(project, value, function, depth)
    return base_axes[1:] if base_axes is not None and base_axes[0] == "" else None


def _of_call(project: Project, call: ast.Call, function: Function, depth: int) -> Axes | None:
    if self_attribute(call.func):
        base = axes_of(project, call.args[0], function, depth) if len(call.args) == 1 else None
        if base is None:
            return None  # whatever the layer is, for which the class's bases are looked up
        layer = layer_of(project, function, call.func) or ""
        if layer == "torch.nn.Embedding":
            return (*base, "")
        return base if KEEPING.match(layer) else None
    if function.module.names.called(call) == SDPA:
        return axes_of(project, call.args[0], function, depth) if call.args else None
    name, base_value = called_name(call), operand(call, function)
    if name in ("view", "reshape"):
        return None if is_mixed(project, call, function, depth) else viewed(call, function)
    same = name in SAME and base_value is not None
    return axes_of(project, base_value, function, depth) if same and base_value else None


def may_name_axes(call: ast.Call) -> bool:
    """Whether a view may name a batch and a time, by its text alone: most name none."""
    given = call.args
    if len(given) == 1 and isinstance(given[0], ast.Name):
        return True
    if len(given) == 1 and isinstance(given[0], ast.Tuple | ast.List):
        given = given[0].elts
    said = [one.id for one in given if isinstance(one, ast.Name)]
    return len(said) > 1 and any(map(BATCH.match, said)) and any(map(TIME.match, said))


def viewed(call: ast.Call, function: Function) -> Axes | None:
    """What a view takes its dimensions for, where both names stand there by themselves."""
    by_name = len(call.args) == 1 and isinstance(call.args[0], ast.Name)
    if by_name and not (named_sizes(function) or _sizes_given(function)):
        return None  # what the name is bound to need not be looked up
    sizes = sizes_of(call, function)
    said = [one.id for one in sizes or () if isinstance(one, ast.Name)]
    # Most views name no batch or no time, whatever the names of the function are.
    if sizes is None or not any(map(BATCH.match, said)) or not any(map(TIME.match, said)):
        return None
    names = named_sizes(function) or _sizes_given(function)
    if not names:
        return None
    found = []
    for size in sizes:
        if isinstance(size, ast.Name) and size.id in names:
            found.append(names[size.id][1])
        elif number(size) == 1:
            found.append("one")
        elif any(isinstance(node, ast.Name) and node.id in names for node in every_node(size)):
            return None  # B * H, T // 2: several in one, or parts of one
        else:
            found.append("")
    return tuple(found) if _has_both(tuple(found)) else None


def _has_both(axes: Axes) -> bool:
    return sorted(one for one in axes if one in ("batch", "time")) == ["batch", "time"]


def is_mixed(project: Project, call: ast.Call, function: Function, depth: int = 0) -> bool:
    """Whether a view makes heads or channels of positions, or positions of heads.

    The numbers before the positions are those of the batch alone, or not, and so they stay.
    """
    after = _without_ones(viewed(call, function))
    base = operand(call, function)
    if after is None or base is None or after[0] != "batch":
        return False
    before = _without_ones(axes_of(project, base, function, depth + 1))
    if before is None or not _has_both(before) or before[0] != "batch":
        return False
    return (before.index("time") == 1) is not (after.index("time") == 1)


def _without_ones(axes: Axes | None) -> Axes | None:
    """The dimensions but those of one number, which move none."""
    return None if axes is None else tuple(one for one in axes if one != "one")


def is_undone(parents: tuple[ast.AST, ...]) -> bool:
    """Whether another view of the same expression follows."""
    for parent in reversed(parents):
        if isinstance(parent, ast.stmt):
            return False
        if isinstance(parent, ast.Call) and called_name(parent) in ("view", "reshape"):
            return True
    return False
