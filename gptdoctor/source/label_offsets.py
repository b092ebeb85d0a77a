"""Which token a loss pairs each position with, by the slices of its scores and labels."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.flow_turns import number
from gptdoctor.source.kept import kept
from gptdoctor.source.literals import takes_all
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.module import SourceModule
from gptdoctor.source.moved_rows import moved_from, rows_moved
from gptdoctor.source.nodes import children, every_node
from gptdoctor.source.outlines import Sketch
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import Way, operation, shaped_from, ways_of

# After these a slice no longer cuts time; what may cut or move it by itself is not followed.
TURNS = frozenset({"transpose", "permute", "swapaxes", "movedim", "rearrange", "unflatten"})
FLATTENS = frozenset({"view", "reshape", "flatten", "ravel", "view_as"})
CUTS = frozenset({"narrow", "select", "index_select", "masked_select", "squeeze", "unsqueeze"})
# Text of a model that reads from left to right, and of one whose tokens are its own targets.
CAUSAL = re.compile(r"\btriu?l?\b|causal|\bGRU\b|\bLSTM\b|autoregress|square_subsequent")
WHOLE_TEXT = re.compile(
    r"bidirectional|mask_token|\bmlm\b|masked|auto_?enc|\bvae\b|reconstr|denois|diffus|\bbert|corrupt"
    r"|codebook|quanti|cycle",
    re.IGNORECASE,
)
# Losses that aim further ahead, or backwards, on purpose.
AIMED = re.compile(
    r"mtp|multi_?token|future|ahead|draft|eagle|medusa|horizon|backward_|revers|speculat|skip",
    re.IGNORECASE,
)
_MARGIN = re.compile(r"\n\S")
DEEPEST = 12  # names followed from logits to the ids that they come from


@dataclass(frozen=True, eq=False, kw_only=True)
class Cut:
    """What slices left of a row: from which position on, and the slices themselves."""

    start: int = 0
    slices: tuple[ast.Subscript, ...] = ()
    flat: ast.Subscript | None = None  # a slice of rows that lie behind one another
    flat_start: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairing:
    """How one loss pairs positions with tokens."""

    offset: int  # position t is trained on token t + offset of the same text, or of the labels
    own: bool  # of the very tokens that were read: only 1 is right; else 0 is right as well
    argument: str  # the parameter that the labels are, or ""
    place: ast.expr  # the slice that is wrong, or the loss
    scores: Cut
    labels: Cut


def pairing(loss: LossCall) -> Pairing | None:
    """The pairing of a loss, where all that its scores and labels went through is plain."""
    return _pairing(loss.call, loss.scores, loss.targets, loss.function)


@kept(8)  # several rules ask, one after the other, each with a value of its own
def _pairing(
    call: ast.Call, scored: ast.expr, targets: ast.expr, function: Function
) -> Pairing | None:
    scores, labels = (ways_of(value, function, moved_from) for value in (scored, targets))
    if len(scores) != 1 or len(labels) != 1:
        return None
    made, told = cut_of(scores[0], function), cut_of(labels[0], function)
    if made is None or told is None:
        return None
    read = _read(scores[0], labels[0], function)
    offset = told.start - made.start - (read or 0)
    slices = [*told.slices, *made.slices]
    place: ast.expr = slices[0] if slices else call
    if not slices:  # where they are moved, else where they are taken
        moves = (step for way in (labels[0], scores[0]) for step in way.steps)
        rolled = (one for one in moves if isinstance(one, ast.Call))
        place = next((one for one in rolled if rows_moved(one, function)), call)
    return Pairing(
        offset=offset,
        own=read is not None,
        argument=labels[0].argument,
        place=place,
        scores=made,
        labels=told,
    )


def cut_of(way: Way, function: Function) -> Cut | None:
    """What is left of the rows that a way begins with; None where that cannot be told."""
    slices: list[ast.Subscript] = []
    start, turned, flattened = 0, False, False
    flat, flat_start = None, 0
    for step in reversed(way.steps):
        made = operation(step, function) if isinstance(step, ast.expr) else None
        if isinstance(step, ast.Subscript):
            if _is_item(step) and not slices and not flattened:
                continue  # model(x)[0], batch["labels"]
            begins = _begin_flat(step) if flattened else _begin(step)
            if begins is None or turned:
                return None
            if flattened:
                flat, flat_start = step, flat_start + begins
            else:
                start, slices = start + begins, [*slices, step]
        elif isinstance(step, ast.Call) and (moves := rows_moved(step, function)) is not None:
            if turned or flattened:
                return None
            start += moves
        elif made is not None and made[0] in CUTS:
            return None
        elif made is not None and made[0] in FLATTENS:
            flattened = True
        elif (made is not None and made[0] in TURNS) or isinstance(step, ast.Attribute):
            turned = True
        elif not isinstance(step, ast.expr) or isinstance(step, ast.IfExp):
            return None
    return Cut(start=start, slices=tuple(slices), flat=flat, flat_start=flat_start)


def _is_item(node: ast.Subscript) -> bool:
    """One of several results, by number or by name."""
    return isinstance(node.slice, ast.Constant)


def _begin(node: ast.Subscript) -> int | None:
    """Where a slice of [B, T] or [B, T, V] begins in time."""
    index = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    first = index[0] if index else None
    whole = takes_all(first)
    rest = isinstance(first, ast.Constant) and first.value is Ellipsis
    if not whole and not rest:
        return None
    tail = index[1:]
    vocabulary = len(tail) > 1 and takes_all(tail[-1])
    time = tail[0] if len(tail) == 1 or (len(tail) == 2 and vocabulary) else None
    # [..., :-1] cuts time of labels, and the vocabulary of scores.
    return _lower(time) if isinstance(time, ast.Slice) else None


def _begin_flat(node: ast.Subscript) -> int | None:
    """Where a slice of [B * T] or [B * T, V] begins: `y[1:]`, `z[:-1, :]`."""
    index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    rest = (one for one in index[1:] if not takes_all(one))
    rows = index[0] if index and next(rest, None) is None else None
    return _lower(rows) if isinstance(rows, ast.Slice) else None


def _lower(one: ast.Slice) -> int | None:
    """The first position that a slice takes; it may end at a number from the end alone."""
    lower = 0 if one.lower is None else number(one.lower)
    upper = -1 if one.upper is None else number(one.upper)
    if lower is None or upper is None or lower < 0 or upper >= 0 or one.step is not None:
        return None
    return lower


def _read(scores: Way, labels: Way, function: Function) -> int | None:
    """From which position on the tokens are read that the labels are too, or None for others."""
    call, taken = scores.source, scores.binding
    first = taken is not None and taken.role is Role.ITEM and not taken.index
    if not isinstance(call, ast.Call | ast.Attribute) or (taken is not None and not first):
        return None  # of several results the scores are the first
    call = call.value if isinstance(call, ast.Attribute) else call
    if not isinstance(call, ast.Call):
        return None
    given = _given(call)
    for way in ways_of(given, function, shaped_from) if given is not None else []:
        cut = cut_of(way, function)
        if _begins_alike(way, labels) and cut is not None and cut.flat is None:
            return cut.start
    plain = labels.binding is not None and labels.argument
    return 0 if plain and _reads_whole(call, labels.argument, function) else None


def _given(call: ast.Call) -> ast.expr | None:
    """What a model is called with: its first argument, or its ids by name."""
    for one in call.keywords:
        if one.arg in ("input_ids", "ids", "idx", "x", "tokens"):
            return one.value
    return call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None


def _begins_alike(one: Way, other: Way) -> bool:
    if _items(one) != _items(other):  # batch[0] and batch[1]
        return False
    if one.binding is not None:  # of two items of a batch one may be the other, moved
        return one.binding is other.binding
    return one.source is not None and one.source is other.source


def _items(way: Way) -> list[str]:
    """Which items of a batch are taken on a way, by number or by name."""
    items = (one for one in way.steps if isinstance(one, ast.Subscript) and _is_item(one))
    return [text_of(one.slice) for one in items]


def _reads_whole(call: ast.Call, argument: str, function: Function) -> bool:
    """Whether what a call is given comes from an argument that is read as it is.

    Whatever cuts, moves or masks it before a layer gets it leaves open what a position has read.
    """
    reads = list(_reads_of(call, argument, function))
    if not reads:  # labels that no layer gets, mostly
        return False
    parents = {child: node for node in own_nodes(function.node) for child in children(node)}
    return all(_as_it_is(name, parents) for name in reads)


def _reads_of(value: ast.expr, argument: str, function: Function) -> Iterator[ast.Name]:
    """Where the names that a value comes from read an argument."""
    seen: set[Binding] = set()
    queue: list[ast.expr] = [value]
    while queue and len(seen) < DEEPEST:
        for node in every_node(queue.pop(0)):
            if not isinstance(node, ast.Name):
                continue
            for binding in function.reaching(node, carried=True):
                if binding.role is Role.ARGUMENT and binding.name == argument:
                    yield node
                elif binding not in seen and binding.value is not None:
                    seen.add(binding)
                    queue.append(binding.value)


def _as_it_is(name: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a layer gets the name itself, or only its form is asked for."""
    parent = parents.get(name)
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("shape", "size", "device", "ndim", "dtype")
    return isinstance(parent, ast.Call) and name in parent.args and bool(_own(parent.func))


def _own(called: ast.expr) -> str | None:
    """The layer of `self.embed(ids)`, and of `self.transformer.wte(ids)`."""
    while isinstance(called, ast.Attribute) and isinstance(called.value, ast.Attribute):
        called = called.value
    return self_attribute(called)


def is_causal(loss: LossCall, project: Project) -> bool:
    """Whether the text around a loss says that positions read from left to right, and only so."""
    owner = loss.function.owner
    if owner is None:
        texts = [loss.function.module.text]
    elif _sees_all(owner, project):
        return False
    else:
        texts = [text_in(one.node, one.module) for one in (owner, *project.bases(owner))]
    return any(map(CAUSAL.search, texts)) and not any(map(WHOLE_TEXT.search, texts))


def _sees_all(owner: ClassInfo, project: Project) -> bool:
    """Whether a class or a base says that it does not read so, where that takes no parse."""
    if WHOLE_TEXT.search(text_in(owner.node, owner.module)):
        return True
    told = project.lineage(owner)
    sketches = [] if told is None else [one for one in told.bases if isinstance(one, Sketch)]
    return any(WHOLE_TEXT.search(_sure_text(one.text)) for one in sketches)


def _sure_text(text: str) -> str:
    """What of a text that begins with the head of a class is surely that class: to the margin."""
    found = _MARGIN.search(text)
    return text[: found.start()] if found else text


def is_aimed(loss: LossCall) -> bool:
    """Whether the text says that a loss looks further ahead, or backwards."""
    return AIMED.search(text_in(loss.function.node, loss.function.module)) is not None


def text_in(node: ast.AST, module: SourceModule) -> str:
    """The source lines of a node."""
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1) or 1
    return "\n".join(module.lines[first - 1 : last])
