"""Which dimension of a network's input is the batch, and which the time, where its text tells.

What counts is how a method speaks of the sizes of its own parameter: `B, T = ids.shape`, or a
range of positions or a mask that is as long as its dimension 1.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.attention_text import layer_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number
from gptdoctor.source.held_layers import items_of
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to

BATCH = re.compile(r"^(b|bs|bsz|bz|n?_?batch(_?size)?|batch_?\w*|n_?batch)$", re.I)
TIME = re.compile(
    r"^(t|s|l|seq|slen|tlen|seq_?len(gth)?|length|time|steps|n_?tokens|tgt_?len|src_?len|n_?ctx"
    r"|block_?size|context_?len(gth)?|seq_?length|sequence_?length|q_?len)$",
    re.I,
)
# Layers of torch.nn that leave batch and time where they are.
KEEPING = re.compile(r"torch\.nn\.(LayerNorm|RMSNorm|Dropout|Linear|Identity|GELU|ReLU|SiLU|Tanh)$")
PASSING = frozenset({"dropout", "layer_norm", "rms_norm", "gelu", "relu", "silu", "float", "to"})
# What is as long as the text: positions, and masks over pairs of them.
AS_LONG = frozenset({"arange", "ones", "full", "tril", "triu", "generate_square_subsequent_mask"})
# What a comment, or a line of a docstring, says of a tensor: `# ids: (batch, seq_len)`,
# `x (Tensor): of shape [B, T, C]`, `h = self.embed(ids)  # (batch, seq_len, width)`.
_ORDER = r"(?:[\w ]*shape[: ]*)?`*[\[(](\w+) ?[,x] ?(\w+)(?: ?[,x] ?[\w.]+)*[\])]"
_COMMENTS = (
    re.compile(rf"#\s*`*(\w+)`*(?:\.shape)?\s*(?::|==?|is|->)?\s*{_ORDER}"),
    re.compile(rf"^\s*(?:[\"']{{3}})?`*(\w+)`*(?: \([\w.]+\))?(?::| is) *{_ORDER}", re.MULTILINE),
)
_BEHIND = re.compile(rf"#\s*{_ORDER}")
DEEPEST = 20


def source_of(
    project: Project, function: Function, value: ast.expr, passed: list[ast.expr] | None = None
) -> tuple[str, bool] | None:
    """The parameter that a tensor of the same order comes from, and whether it was embedded.

    What it was on the way, under the names that it had, is `passed`.
    """
    embedded = False
    for _ in range(DEEPEST):
        if isinstance(value, ast.Name):
            found = function.bindings.reaching(value.id, (value.lineno, value.col_offset))
            plain = [one for one in found if one.role is not Role.CHANGED]
            if len(plain) != 1:
                return None
            if plain[0].role is Role.ARGUMENT:
                return value.id, embedded
            if plain[0].role is not Role.WHOLE or plain[0].value is None:
                return None
            value = plain[0].value
            if passed is not None:
                passed.append(value)
        elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Mult):
            left = _embedding(project, function, value.left)
            value = value.left if left or not isinstance(value.left, ast.Constant) else value.right
        elif isinstance(value, ast.Call):
            before = _before(project, function, value)
            if before is None:
                return None
            embedded = embedded or _embedding(project, function, value)
            value = before
        else:
            return None
    return None


def _embedding(project: Project, function: Function, value: ast.expr) -> bool:
    call = value if isinstance(value, ast.Call) else None
    return call is not None and layer_of(project, function, call.func) == "torch.nn.Embedding"


def _before(project: Project, function: Function, call: ast.Call) -> ast.expr | None:
    """What a layer or an operation that keeps the order is given."""
    if isinstance(call.func, ast.Subscript) and self_attribute(call.func.value):
        layers = items_of(project, call.func.value, function)  # self.norms[0](x)
        made = [one.function.module.names.called(one.value) or "" for one in layers]
        alike = bool(made) and all(map(KEEPING.match, made))
        return call.args[0] if alike and len(call.args) == 1 else None
    if self_attribute(call.func) is None:
        return operand(call, function) if called_name(call) in PASSING else None
    layer = layer_of(project, function, call.func) or ""
    keeps = layer == "torch.nn.Embedding" or KEEPING.match(layer)
    return call.args[0] if keeps and len(call.args) == 1 else None


def batch_comes_first(function: Function, name: str) -> bool:
    """Whether the text of a method says that its parameter is [B, T, ...], and nothing else."""
    said = set(_said(function).get(name, []))
    return said == {True}


def is_said_batch_first(value: ast.expr, function: Function) -> bool:
    """Whether the comment behind a value says that it is [B, T, ...]."""
    found = _BEHIND.search(function.module.lines[(value.end_lineno or value.lineno) - 1])
    return found is not None and bool(BATCH.match(found[1]) and TIME.match(found[2]))


@kept(64)
def _said(function: Function) -> dict[str, list[bool]]:
    """What each statement says of the sizes of a parameter: True for [B, T, ...]."""
    found: dict[str, list[bool]] = {}
    for node in own_nodes(function.node):
        if isinstance(node, ast.Assign):
            for name, said in _by_assignment(node, function):
                found.setdefault(name, []).append(said)
        elif isinstance(node, ast.Call) and called_name(node) in AS_LONG:
            for name, place in _sizes_in(node, function):
                found.setdefault(name, []).append(place == 1)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            for name in _cut_to(node.slice.elts, function):
                found.setdefault(name, []).append(True)
    for name, said in _in_comments(function):
        found.setdefault(name, []).append(said)
    return found


def _cut_to(places: list[ast.expr], function: Function) -> Iterator[str]:
    """The parameters that a table of positions is cut to: `self.pos[:, : x.size(1)]`."""
    first, second = places[0], places[1] if len(places) > 1 else None
    whole = isinstance(first, ast.Slice) and first.upper is None and first.lower is None
    if not whole or not isinstance(second, ast.Slice) or second.upper is None or second.lower:
        return
    upper = bound_to(second.upper, function) if isinstance(second.upper, ast.Name) else second.upper
    sized = size_of(upper) if upper is not None else None
    if sized is not None and sized[1] == 1:
        yield sized[0]


def _in_comments(function: Function) -> Iterator[tuple[str, bool]]:
    """What comments and docstrings say of tensors."""
    if not any(map(function.text.__contains__, ("#", '"""', "'''"))):
        return
    for pattern in _COMMENTS:
        for found in pattern.finditer(function.text):
            name, first, second = found.groups()
            if BATCH.match(first) and TIME.match(second):
                yield name, True
            elif TIME.match(first):
                yield name, False


def _by_assignment(node: ast.Assign, function: Function) -> Iterator[tuple[str, bool]]:
    """`B, T = ids.shape`, `T = ids.size(1)`."""
    target = node.targets[0]
    name = shape_of(node.value)
    if isinstance(target, ast.Tuple) and name is not None and len(target.elts) in (2, 3):
        words = [one.id if isinstance(one, ast.Name) else "" for one in target.elts]
        if BATCH.match(words[0]) and TIME.match(words[1]):
            yield name, True
        elif TIME.match(words[0]):
            yield name, False
    elif isinstance(target, ast.Name):
        sized = size_of(node.value)
        if sized is not None and TIME.match(target.id):
            yield sized[0], sized[1] == 1
        elif sized is not None and BATCH.match(target.id):
            yield sized[0], sized[1] == 0


def _sizes_in(call: ast.Call, function: Function) -> Iterator[tuple[str, int]]:
    """The sizes of parameters that a range or a table is made of."""
    for one in call.args:
        direct = size_of(one)
        if direct is not None and direct[1] in (0, 1):
            yield direct


def shape_of(value: ast.expr) -> str | None:
    """NAME of `NAME.shape` and `NAME.size()`."""
    if isinstance(value, ast.Call) and not value.args and not value.keywords:
        method = value.func
        plain = isinstance(method, ast.Attribute) and method.attr == "size"
    else:
        method = value
        plain = isinstance(method, ast.Attribute) and method.attr == "shape"
    if plain and isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name):
        return method.value.id
    return None


def size_of(value: ast.expr) -> tuple[str, int] | None:
    """(NAME, 1) of `NAME.shape[1]` and `NAME.size(1)`."""
    if isinstance(value, ast.Subscript):
        name, place = shape_of(value.value), number(value.slice)
        return None if name is None or place is None else (name, place)
    if isinstance(value, ast.Call) and len(value.args) == 1:
        method, place = value.func, number(value.args[0])
        sized = isinstance(method, ast.Attribute) and method.attr == "size"
        if sized and isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name):
            return None if place is None else (method.value.id, place)
    return None
