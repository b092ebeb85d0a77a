"""Which dimension of a tensor is the batch and which the time, by the names that a method gives.

`B, T, C = x.shape` names them; layers, splits and turns hand them on; a view whose sizes are these
names says what it takes them for.
"""

from __future__ import annotations

import ast
import re

from gptdoctor.source.attention_text import layer_of
from gptdoctor.source.batch_order import KEEPING, PASSING
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number, turn_of
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.mask_uses import SDPA
from gptdoctor.source.matrix_products import equation_of, is_product, sides
from gptdoctor.source.named_sizes import Axes, has_both, parameter_axes, sizes_given, viewed
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project

SPLITS = frozenset({"chunk", "split", "tensor_split"})
# Turn numbers by their positions, and give each tensor back in its form.
ROTATING = re.compile(r"rotary|rope", re.IGNORECASE)
SAME = PASSING | {
    "contiguous",
    "clone",
    "softmax",
    "tanh",
    "masked_fill",
    "sigmoid",
    "repeat_interleave",
}
DEEPEST = 20


def _as_called(project: Project, parameter: str, function: Function, depth: int) -> Axes | None:
    """What the methods of a class give to such a helper, where all agree that tell."""
    owner, names = function.owner, function.parameter_names
    if owner is None or not sizes_given(function) or parameter not in names:
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
        return _of_product(project, value, function, depth)
    if isinstance(value, ast.BinOp):
        return axes_of(project, value.left, function, depth)
    if isinstance(value, ast.Subscript):
        return _first_of(axes_of(project, value.value, function, depth), value.slice)
    return _of_call(project, value, function, depth) if isinstance(value, ast.Call) else None


def _of_product(project: Project, value: ast.expr, function: Function, depth: int) -> Axes | None:
    """Positions as they stand left, and the last dimension from the right."""
    given, equation = sides(value), equation_of(value)
    if len(given) != 2:
        return None
    left = axes_of(project, given[0], function, depth)
    right = axes_of(project, given[1], function, depth)
    if equation is not None:
        return _by_letters(equation, left, right)
    return right if left is None else (*left[:-1], right[-1] if right else "")


def _by_letters(equation: str, left: Axes | None, right: Axes | None) -> Axes | None:
    """The dimensions that an einsum makes, where one side tells which is which."""
    before, arrow, after = equation.partition("->")
    parts = before.split(",")
    if not arrow or "." in equation or len(parts) != 2:
        return None
    known: dict[str, str] = {}
    for letters, axes in zip(parts, (left, right), strict=True):
        if axes is not None and len(axes) == len(letters):
            known.update({one: axis for one, axis in zip(letters, axes, strict=True) if axis})
    return tuple(known.get(one, "") for one in after) if known else None


def _first_of(axes: Axes | None, index: ast.expr) -> Axes | None:
    """One of several tensors that lie along the first dimension: `qkv[0]`."""
    return axes[1:] if axes and axes[0] == "" and number(index) is not None else None


def _of_name(project: Project, name: ast.Name, function: Function, depth: int) -> Axes | None:
    found = function.reaching(name)
    one = found[0] if len(found) == 1 else None
    if one is None:
        return None
    # Where the shape of a name is unpacked that is bound once, this is what it is.
    named = parameter_axes(function).get(name.id)
    if named is not None and len(function.bindings.by_name.get(name.id, ())) == 1:
        return named
    if one.role is Role.ARGUMENT:
        return named if named is not None else _as_called(project, name.id, function, depth)
    value = one.value
    if one.role is Role.WHOLE and value is not None:
        return axes_of(project, value, function, depth)
    if one.role is Role.ELEMENT and isinstance(value, ast.Tuple | ast.List) and value.elts:
        return axes_of(project, value.elts[0], function, depth)
    if one.role is Role.ELEMENT and isinstance(value, ast.Call) and called_name(value) in SPLITS:
        base = operand(value, function)
        return None if base is None else axes_of(project, base, function, depth)
    if one.role is not Role.ITEM or value is None:
        return None
    if isinstance(value, ast.Call) and ROTATING.search(called_name(value)):
        index = one.index or 0
        given = value.args[index] if index < len(value.args) else None
        return None if given is None else axes_of(project, given, function, depth)
    if isinstance(value, ast.GeneratorExp | ast.ListComp):
        return axes_of(project, value.elt, function, depth)
    if isinstance(value, ast.Call) and called_name(value) in SPLITS:
        base = operand(value, function)
        return None if base is None else axes_of(project, base, function, depth)
    if isinstance(value, ast.Call) and called_name(value) == "unbind":
        return _unbound(project, value, function, depth)
    base_axes = axes_of(project, value, function, depth)
    return base_axes[1:] if base_axes is not None and base_axes[0] == "" else None


def _unbound(project: Project, call: ast.Call, function: Function, depth: int) -> Axes | None:
    base, given = operand(call, function), [one.value for one in call.keywords]
    axes = None if base is None else axes_of(project, base, function, depth)
    given = given or [one for one in call.args if one is not base]
    place = number(given[0]) if given else 0
    if axes is None or place is None or not -len(axes) <= place < len(axes):
        return None
    place %= len(axes)
    return (*axes[:place], *axes[place + 1 :]) if axes[place] == "" else None


def _of_call(project: Project, call: ast.Call, function: Function, depth: int) -> Axes | None:
    if ROTATING.search(called_name(call)) and call.args:
        return axes_of(project, call.args[0], function, depth)
    layers = _layers_called(call.func, function)
    if layers:
        own = function.owner.methods.get(called_name(call)) if function.owner else None
        if own is not None:
            return _of_helper(project, call, function, depth)
        base = axes_of(project, call.args[0], function, depth) if len(call.args) == 1 else None
        if base is None:
            return None  # whatever the layer is, for which the class's bases are looked up
        kinds = [layer_of(project, function, one) or "" for one in layers]
        if kinds == ["torch.nn.Embedding"]:
            return (*base, "")
        return base if all(map(KEEPING.match, kinds)) else None
    if function.module.names.called(call) == SDPA:
        named = [one.value for one in call.keywords if one.arg == "query"]
        first = [*call.args[:1], *named]
        return axes_of(project, first[0], function, depth) if first else None
    name, base_value = called_name(call), operand(call, function)
    if name in ("view", "reshape"):
        return None if is_mixed(project, call, function, depth) else viewed(call, function)
    if name == "unflatten" and base_value is not None and len(call.args) == 2:
        return _unflattened(call, axes_of(project, base_value, function, depth))
    same = name in SAME and base_value is not None
    return axes_of(project, base_value, function, depth) if same and base_value else None


def _layers_called(called: ast.expr, function: Function) -> list[ast.expr]:
    """`self.NAME`, or those that a name of a comprehension or a loop stands for."""
    if self_attribute(called):
        return [called]
    found = function.reaching(called) if isinstance(called, ast.Name) else []
    one = found[0] if len(found) == 1 else None
    if one is None or one.role is not Role.ELEMENT:
        return []
    several = one.value.elts if isinstance(one.value, ast.Tuple | ast.List) else []
    return several if all(map(self_attribute, several)) else []


def _of_helper(project: Project, call: ast.Call, function: Function, depth: int) -> Axes | None:
    """What a method of the class returns, as far as it names sizes itself."""
    helper = callee_of(project, function, call)
    if helper is None or len(helper.returned) != 1:
        return None
    return axes_of(project, helper.returned[0], helper, depth + 5)


def _unflattened(call: ast.Call, base: Axes | None) -> Axes | None:
    sizes = call.args[1].elts if isinstance(call.args[1], ast.Tuple | ast.List) else []
    last = base is not None and number(call.args[0]) in (-1, len(base) - 1)
    return (*base[:-1], *[""] * len(sizes)) if base and last and sizes else None


def is_mixed(project: Project, call: ast.Call, function: Function, depth: int = 0) -> bool:
    """Whether a view makes heads or channels of positions, or positions of heads.

    The numbers before the positions are those of the batch alone, or not, and so they stay.
    """
    after = _without_ones(viewed(call, function))
    base = operand(call, function)
    if after is None or base is None or after[0] != "batch":
        return False
    before = _without_ones(axes_of(project, base, function, depth + 1))
    if before is None or not has_both(before) or before[0] != "batch":
        return False
    forms = [before]
    if len(after) >= len(before):
        # A dimension that nobody names may be a single one, or several that the view parts.
        forms.append(tuple(one for one in before if one != "any"))
    return all((one.index("time") == 1) is not (after.index("time") == 1) for one in forms)


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
