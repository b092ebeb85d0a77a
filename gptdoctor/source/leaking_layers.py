"""Layers and operations that carry later tokens to earlier positions, where the next is to be told.

A convolution over time that is padded alike on both sides, a recurrent layer that reads both ways,
a mean over the whole text that each position is given.
"""

from __future__ import annotations

import ast
import re

from gptdoctor.source.batch_order import batch_comes_first, source_of
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.float_values import is_float
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_turns import number
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.mask_uses import argument_of
from gptdoctor.source.names import called_name
from gptdoctor.source.next_tokens import tells_next
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to, number_of
from gptdoctor.source.value_ways import keyword

CONVOLUTION = "torch.nn.Conv1d"
RECURRENT = frozenset({"torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN"})
POOLING = ("mean", "amax", "sum", "logsumexp")
# Words of what takes the leak away again: a cut, a shift, a mask, a pooling over letters of a word.
_MENDED = re.compile(
    r"mask|causal ?[:=]|self\.causal|chomp|trim|crop|narrow|shift|roll\(|pad\(|Pad1d|pool|\.max\("
    r"|amax|flip|revers|backward|chunk\(|prefix|\[[^\]\n]*: ?-[^\]\n]*\]"
    r"|\[(\.\.\.|:, ?:), ?:[^\]\n]+\]",
    re.IGNORECASE,
)
# What only seems so: how rows are cut to be trained on, and masks of padding.
_PLAIN = re.compile(
    r"\b\w+\[(:|\.\.\.), ?:-1(, ?:)?\]|\w*pad\w*mask\w*|\w*mask\w*pad\w*|\.backward\(",
    re.IGNORECASE,
)
# Words of classes that tell something of a whole text, or of each token of one that is there.
_CLASSIFIES = re.compile(
    r"classif|n(um)?_?(class|label|tag)|\btags?\b|\bcrf|sentiment|\bner\b", re.IGNORECASE
)
_ALL_ROUND = re.compile(r"encod|prefix|backward", re.IGNORECASE)  # names of classes
_ACTIVATIONS = frozenset({"sigmoid", "tanh", "relu", "silu", "gelu", "softmax"})
_LITERALS = (ast.Constant, ast.UnaryOp)
DEEPEST = 8


def pads_both_sides(project: Project, info: ClassInfo, made: ast.Call, function: Function) -> bool:
    """Whether a convolution over the time of a text sees ahead, and nothing cuts what it saw."""
    if function.module.names.called(made) != CONVOLUTION or not _is_even(made, function):
        return False
    return tells_next(project, info.module) and not _is_mended(info)


def reads_both_ways(project: Project, info: ClassInfo, made: ast.Call) -> bool:
    """Whether a recurrent layer reads a text backwards whose next token its results tell."""
    if (info.module.names.called(made) or "") not in RECURRENT or "Embedding(" not in info.text:
        return False
    given = keyword(made, "bidirectional")
    told = isinstance(given, ast.Constant) and given.value is True
    return told and not _is_mended(info) and tells_next(project, info.module, both_ways=True)


def may_be_over_time(call: ast.Call) -> bool:
    """Whether a call names the dimension of time, as few do."""
    named = (one.value for one in call.keywords) if call.keywords else ()
    literals = (one for one in (*call.args, *named) if one.__class__ in _LITERALS)
    return any(number(one) in (1, -2) for one in literals)


def gives_mean_to_all(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether each position of an embedded text is given the mean over all of them."""
    owner, base = function.owner, operand(call, function)
    if owner is None or base is None or not _is_over_time(call, base, function):
        return False
    found = source_of(project, function, base)
    if found is None or not (found[1] or batch_comes_first(function, found[0])):
        return False
    return not _sees_all(owner) and tells_next(project, owner.module)


def may_shift(call: ast.Call) -> bool:
    """Whether a call may join what stands one position further on, by its own form."""
    joined = call.args[0] if call.args else None
    first = joined.elts[0] if isinstance(joined, ast.List | ast.Tuple) and joined.elts else None
    return called_name(call) == "roll" or isinstance(first, ast.Subscript)


def shifts_back(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether each position of an embedded text is given the next: `cat([x[:, 1:], last], 1)`."""
    owner = function.owner
    base = _next_positions(call, function)
    if owner is None or base is None:
        return False
    # A layer that has no table of its own is given vectors, and no ids.
    vectors = "Linear(" in owner.text and "Embedding(" not in owner.text
    if not vectors and not is_float(base, function):
        return False
    return not _sees_all(owner) and tells_next(project, owner.module)


def _next_positions(call: ast.Call, function: Function) -> ast.expr | None:
    """X where a call makes of X what stands one position further on."""
    base = operand(call, function)
    if called_name(call) == "roll":
        steps, over = argument_of(call, "shifts", 1), argument_of(call, "dims", 2)
        if isinstance(call.func, ast.Attribute) and base is call.func.value:
            steps, over = argument_of(call, "shifts", 0), argument_of(call, "dims", 1)
        back = steps is not None and number(steps) == -1
        return base if back and over is not None and number(over) in (1, -2) else None
    first = base.elts[0] if isinstance(base, ast.List | ast.Tuple) and base.elts else None
    cut = first.slice if isinstance(first, ast.Subscript) else None
    places = cut.elts if isinstance(cut, ast.Tuple) else []
    if not isinstance(first, ast.Subscript) or len(places) < len(("row", "position")):
        return None
    begins = places[1].lower if isinstance(places[1], ast.Slice) else None
    ends = places[1].upper if isinstance(places[1], ast.Slice) else first
    from_second = begins is not None and number(begins) == 1 and ends is None
    return first.value if from_second else None


def _is_over_time(call: ast.Call, base: ast.expr, function: Function) -> bool:
    """`x.mean(dim=1, keepdim=True)`, or `x.mean(1)` that becomes a position again."""
    place = 0 if isinstance(call.func, ast.Attribute) and base is call.func.value else 1
    dimension = keyword(call, "dim", "axis")
    dimension = dimension or (call.args[place] if len(call.args) > place else None)
    if dimension is None or number(dimension) not in (1, -2):
        return False
    kept = keyword(call, "keepdim", "keepdims")
    if isinstance(kept, ast.Constant) and kept.value is True:
        return True
    if not any(map(function.text.__contains__, ("unsqueeze(1)", "unsqueeze(-2)", "[:, None"))):
        return False
    return any(
        one is not None and _comes_of(one, call, function)
        for one in map(_made_position, own_nodes(function.node))
    )


def _made_position(node: ast.AST) -> ast.expr | None:
    """X of `X.unsqueeze(1)` and of `X[:, None]`."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        second = node.slice.elts[1] if len(node.slice.elts) > 1 else None
        return node.value if isinstance(second, ast.Constant) and second.value is None else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        first = node.args[0] if node.func.attr == "unsqueeze" and node.args else None
        return node.func.value if first is not None and number(first) in (1, -2) else None
    return None


def _comes_of(value: ast.expr, call: ast.Call, function: Function) -> bool:
    """Whether a value is the result of a call, as it is or after layers of one argument."""
    for _ in range(DEEPEST):
        if value is call:
            return True
        if isinstance(value, ast.Name):
            bound = bound_to(value, function)
        elif isinstance(value, ast.Call) and self_attribute(value.func) and len(value.args) == 1:
            bound = value.args[0]
        elif isinstance(value, ast.Call) and called_name(value) in _ACTIVATIONS:
            bound = operand(value, function)
        else:
            return False
        if bound is None:
            return False
        value = bound
    return False


@kept(16)
def _sees_all(owner: ClassInfo) -> bool:
    """Whether a class says that it is to see the whole text."""
    named = _ALL_ROUND.search(owner.name), _CLASSIFIES.search(owner.text)
    return any(one is not None for one in named)


@kept(16)
def _is_mended(info: ClassInfo) -> bool:
    """Whether a class cuts, shifts or hides something, or reads all round by design."""
    return _sees_all(info) or _MENDED.search(_PLAIN.sub("", info.text)) is not None


def _is_even(made: ast.Call, function: Function) -> bool:
    """Whether a convolution is padded so that its result is as long as what it is given."""
    kernel, padding = argument_of(made, "kernel_size", 2), argument_of(made, "padding", 4)
    stride = argument_of(made, "stride", 3)
    if kernel is None or padding is None or (stride is not None and number(stride) != 1):
        return False
    if isinstance(padding, ast.Constant) and padding.value == "same":
        return number_of(kernel, function) != 1
    size, given = number_of(kernel, function), number_of(padding, function)
    dilation = argument_of(made, "dilation", 5)
    if size is not None and given is not None and dilation is None:
        return size > 1 and given * 2 == size - 1
    value = bound_to(padding, function) or padding if isinstance(padding, ast.Name) else padding
    return re.search(r"// ?2\b", text_of(value)) is not None
