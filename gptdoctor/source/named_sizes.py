"""The sizes of batch and time, by the names that a method gives them, and views made of them.

`B, T, C = x.shape` names them; a view whose sizes are these names says what it takes them for.
"""

from __future__ import annotations

import ast
import re
from typing import TypeGuard

from gptdoctor.source.batch_order import BATCH, TIME, shape_of, size_of
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_turns import number
from gptdoctor.source.kept import kept
from gptdoctor.source.memory_order import sizes_of
from gptdoctor.source.names import called_name, last_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import own_statements

# For each dimension: "batch", "time", "one" for one of a single number, "any" for one that nobody
# names, or "" for any other.
Axes = tuple[str, ...]
# Between the batch and the channels of `B, N, C = x.shape` these count positions as well.
SECOND = frozenset({"n", "m", "p", "num_patches", "n_patches", "num_tokens", "nq", "nk", "n_pos"})
IDS = re.compile(r"ids|idx|token|index")  # parameters of two dimensions, by their names
HEADS = re.compile(r"^(h|nh|n?_?heads?|num_(q_|kv_)?heads|n_?(kv_)?heads?|nhead)$", re.I)
WIDTH = re.compile(
    r"^(c|d|e|dim|d_?model|embed_?(dim|size)|emb_?(dim|size)|n_?embd?|hidden(_?(size|dim))?"
    r"|all_head_size|inner_?dim|width|channels)$",
    re.I,
)
_BY_NAME = (ast.Name, ast.Starred)


@kept(64)
def named_sizes(function: Function) -> dict[str, tuple[str, str, int]]:
    """(parameter, "batch" or "time", number of names) by the name of a size; each named once."""
    found: dict[str, tuple[str, str, int]] = {}
    single: dict[str, dict[int, str]] = {}
    for node in own_statements(function.node):
        if not isinstance(node, ast.Assign):
            continue
        target = node.targets[0]
        sized = size_of(node.value) if isinstance(target, ast.Name) else None
        if sized is not None and isinstance(target, ast.Name):
            single.setdefault(sized[0], {}).setdefault(sized[1], target.id)
        if not isinstance(target, ast.Tuple):
            continue
        parameter, elements = shape_of(node.value), target.elts
        words = [one.id if isinstance(one, ast.Name) else "" for one in elements]
        if parameter is None or len(words) not in (2, 3, 4) or not BATCH.match(words[0]):
            continue
        place = _place_of_time(words)
        if place:
            found[words[0]] = (parameter, "batch", len(words))
            found[words[place]] = (parameter, "time", len(words))
    for parameter, names in single.items():
        if BATCH.match(names.get(0, "")) and TIME.match(names.get(1, "")):
            rank = 2 if IDS.search(parameter) else 3
            found[names[0]], found[names[1]] = (parameter, "batch", rank), (parameter, "time", rank)
    # A size that is bound again means something else from there on.
    return {name: said for name, said in found.items() if len(function.bindings.by_name[name]) == 1}


def _place_of_time(words: list[str]) -> int:
    """Where the positions are counted behind the batch, or 0: `B, T, C`, `B, heads, T, size`."""
    if len(words) < 4:
        second = len(words) == 3 and words[1].lower() in SECOND
        return 1 if TIME.match(words[1]) or second else 0
    places = [at for at, word in enumerate(words) if at and TIME.match(word)]
    return places[0] if len(places) == 1 and places[0] < 3 else 0


@kept(64)
def parameter_axes(function: Function) -> dict[str, Axes]:
    """The dimensions of the parameters, or other names, whose shapes are taken apart so."""
    found: dict[str, list[str]] = {}
    for name, (parameter, kind, count) in named_sizes(function).items():
        axes = found.setdefault(parameter, [""] * count)
        words = _words_of(parameter, count, function)
        if len(words) > 3 and words[1] == "_":
            axes[1] = "any"  # heads, or one row of numbers for all heads
        place = words.index(name) if name in words else 1
        axes[0 if kind == "batch" else place] = kind
    return {name: tuple(axes) for name, axes in found.items() if has_both(tuple(axes))}


def _words_of(parameter: str, count: int, function: Function) -> list[str]:
    """The names that a shape is unpacked to; none where each size is asked for alone."""
    for node in own_statements(function.node):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Tuple) and isinstance(node, ast.Assign):
            words = [one.id if isinstance(one, ast.Name) else "" for one in target.elts]
            if shape_of(node.value) == parameter and len(words) == count:
                return words
    return []


@kept(64)
def sizes_given(function: Function) -> dict[str, tuple[str, str, int]]:
    """The same for a helper that is given the sizes: `def heads(self, x, seq_len, bsz)`."""
    given = function.parameter_names
    if not any(map(BATCH.match, given)) or not any(map(TIME.match, given)):
        return {}  # as most: their bindings need not be collected
    once = [one for one in given if len(function.bindings.by_name[one]) == 1]
    batches, times = ([one for one in once if kind.match(one)] for kind in (BATCH, TIME))
    if function.owner is None or len(batches) != 1 or len(times) != 1:
        return {}
    return {batches[0]: ("", "batch", 2), times[0]: ("", "time", 2)}


def may_name_axes(call: ast.Call) -> bool:
    """Whether a view may name a batch and a time, by its text alone: most name none."""
    given = call.args
    if len(given) == 2 and isinstance(given[1], ast.Tuple | ast.List):
        given = given[1:]  # torch.reshape(x, (batch, length, width))
    if len(given) == 1:
        if isinstance(given[0], _BY_NAME):
            return True
        given = given[0].elts if isinstance(given[0], ast.Tuple | ast.List) else []
    return len(given) > 2 and _may_name_both(_apart(given))


def _apart(sizes: list[ast.expr]) -> list[ast.expr]:
    """Of `batch * heads` both: as they lie, the heads behind the batch."""
    first = sizes[0] if sizes else None
    return [first.left, first.right, *sizes[1:]] if _with_heads(first) else sizes


def _may_name_both(sizes: list[ast.expr]) -> bool:
    """Whether sizes may be those of a batch and a time, whatever the function calls these."""
    first = sizes[0] if sizes else None
    if not isinstance(first, ast.Name) or not BATCH.match(first.id):
        return False
    named = (one.id for one in sizes[1:] if isinstance(one, ast.Name))
    timed = any(TIME.match(one) or one.lower() in SECOND for one in named)
    return timed or _may_leave_time(sizes)


def viewed(call: ast.Call, function: Function) -> Axes | None:
    """What a view takes its dimensions for, where both names stand there by themselves."""
    by_name = len(call.args) == 1 and isinstance(call.args[0], _BY_NAME)
    if by_name and not (named_sizes(function) or sizes_given(function)):
        return None  # what the name is bound to need not be looked up
    sizes = _apart(sizes_of(call, function) or [])
    if not _may_name_both(sizes):
        return None  # as most views
    names = named_sizes(function) or sizes_given(function)
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
    if "time" not in found and _leaves_time(sizes, function):
        found[next(at for at, size in enumerate(sizes) if number(size) == -1)] = "time"
    return tuple(found) if has_both(tuple(found)) else None


def _with_heads(size: ast.expr | None) -> TypeGuard[ast.BinOp]:
    """`batch * heads`."""
    product = isinstance(size, ast.BinOp) and isinstance(size.op, ast.Mult)
    return (
        product and isinstance(size, ast.BinOp) and HEADS.match(last_name(size.right)) is not None
    )


def _leaves_time(sizes: list[ast.expr], function: Function) -> bool:
    """Whether -1 stands for the positions: all else that there is is written beside it.

    `view(B, self.heads, -1, self.head_dim)`, `reshape(B, -1, self.heads * self.head_dim)`.
    """
    if not _may_leave_time(sizes):
        return False
    width = [
        last_name(one) for one in sizes[1:] if number(one) != -1 and WIDTH.match(last_name(one))
    ]
    return len(sizes) == 4 or not width or not _is_part(width[0], function)


def _may_leave_time(sizes: list[ast.expr]) -> bool:
    """The same, where a width may yet be that of one head."""
    rest = [one for one in sizes[1:] if number(one) != -1]
    if len(sizes) == 4 and len(rest) == 2:
        return sum(HEADS.match(last_name(one)) is not None for one in rest) == 1
    joined = rest[0] if len(sizes) == 3 and len(rest) == 1 else None
    product = isinstance(joined, ast.BinOp) and isinstance(joined.op, ast.Mult)
    parts = [joined.left, joined.right] if isinstance(joined, ast.BinOp) and product else []
    if any(HEADS.match(last_name(one)) for one in parts):
        return True
    return joined is not None and WIDTH.match(last_name(joined)) is not None


def _is_part(word: str, function: Function) -> bool:
    """Whether a size is that of one head: the last of those that a view splits into."""
    views = (
        node
        for node in own_nodes(function.node)
        if isinstance(node, ast.Call) and called_name(node) in ("view", "reshape", "unflatten")
    )
    sizes = (sizes_of(view, function) or [] for view in views)
    return any(len(given) > 3 and last_name(given[-1]) == word for given in sizes)


def has_both(axes: Axes) -> bool:
    """Whether the batch and the time are each one of the dimensions."""
    return sorted(one for one in axes if one in ("batch", "time")) == ["batch", "time"]
