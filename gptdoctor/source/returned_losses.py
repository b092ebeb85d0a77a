"""The losses that a function returns, and where they leave the graph on the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_training import is_off_limits
from gptdoctor.source.imports import is_none
from gptdoctor.source.loss_calls import LossCall, loss_of, may_call_losses
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.summed_losses import addends
from gptdoctor.source.value_ways import Way, operation, shaped_from, ways_of

# What a number or a copy has no gradient behind it for.
CUTTING = frozenset({"item", "detach", "numpy", "tolist", "tensor", "as_tensor"})
# The same in a text: whatever cuts by its own name is written so.  Each begins with plain letters,
# or with the dot before them: led by "\b", they take ten times as long.
CUTTING_TEXT = (
    *(re.compile(rf"{word}(?<!\w{word})\s*\(") for word in sorted(CUTTING | {"float"})),
    re.compile(rf"\.\s*(?:{'|'.join(sorted(CUTTING))}|data)\b"),
)
# Half of all functions have none of these, which is said in a tenth of the time.
_CUTTING_WORDS = (*CUTTING, "data", "float")
_COPYING = frozenset({"tensor", "as_tensor"})
STEPPING = frozenset({"backward", "manual_backward", "step", "backward_"})
MOST = 200  # expressions behind one that is returned


@dataclass(frozen=True, eq=False, kw_only=True)
class CutLoss:
    """A loss that is returned without its graph."""

    loss: LossCall
    place: ast.expr  # where it leaves the graph
    word: str  # "item", "detach", "data", "float", ...


def cut_losses(function: Function) -> Iterator[CutLoss]:
    """The losses that a function returns cut off, where it returns none that can be trained."""
    if not may_call_losses(function) or not may_cut(function.node, function.module):
        return
    if not any(_cuts(node, function) for node in own_nodes(function.node)) or _trains(function):
        return
    given = [one for value in function.returned for one in _given(value, function)]
    found = [(one, _cut(one, function) or _copied(one, function)) for one in given]
    if any(_hears(value, function) for value, cut in found if cut is None):
        return
    # One loss may be returned in several forms: as a tuple, and as an object.
    yield from {cut.place: cut for _, cut in found if cut is not None}.values()


def helpers_returned(function: Function, project: Project) -> Iterator[Function]:
    """The methods for losses whose results a function returns, where these may cut them off."""
    owner, module = function.owner, function.module
    methods = {} if owner is None else owner.methods
    cutting = {
        name
        for name, node in methods.items()
        if "loss" in name and f"self.{name}(" in function.text and may_cut(node, module)
    }
    given = [one for value in function.returned for one in _parts(value)] if cutting else []
    found: set[str] = set()
    for value in given:
        ways = ways_of(value, function, shaped_from)
        calls = [one.source for one in ways if isinstance(one.source, ast.Call)]
        named = {self_attribute(one.func) or "" for one in calls} & cutting
        if not named and _hears(value, function):
            return  # another loss, which can be trained
        found |= named
    for name in sorted(found):
        if methods[name] is not function.node:
            yield functions_of(project, module)[methods[name]]


def may_cut(node: FunctionNode, module: SourceModule) -> bool:
    """Whether a function may return a loss cut off: a cheap first answer by its text."""
    text = module.lines_of(node)
    if "return" not in text and "yield" not in text:
        return False
    words = any(map(text.__contains__, _CUTTING_WORDS))
    cuts = words and any(pattern.search(text) for pattern in CUTTING_TEXT)
    return cuts or is_renamed(module, CUTTING)


def _trains(function: Function) -> bool:
    """Whether the function takes the step itself: what it returns is for the eye."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in STEPPING
        for node in own_nodes(function.node)
    )


def _parts(value: ast.expr) -> list[ast.expr]:
    """What may be the loss among what is returned; in a table its name tells."""
    if isinstance(value, ast.Tuple):
        return value.elts
    if isinstance(value, ast.IfExp):
        return [*_parts(value.body), *_parts(value.orelse)]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        # (loss,) + output: further results are put behind it.
        first = value.left
        return first.elts if isinstance(first, ast.Tuple) else [value]
    if isinstance(value, ast.Dict):
        pairs = zip(value.keys, value.values, strict=True)
        return [one for key, one in pairs if not isinstance(key, ast.Constant) or _is_loss(key)]
    if isinstance(value, ast.Call) and value.keywords:
        named = [one.value for one in value.keywords if one.arg == "loss"]
        return named or [value]
    return [value]


def _given(value: ast.expr, function: Function) -> list[ast.expr]:
    """The same, with what a table got as its loss that is returned under a name."""
    if not isinstance(value, ast.Name) or f'{value.id}["' not in function.text:
        return _parts(value)
    entries = [
        one.value
        for one in own_nodes(function.node)
        if isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Subscript)
        and isinstance(one.targets[0].value, ast.Name)
        and one.targets[0].value.id == value.id
        and isinstance(one.targets[0].slice, ast.Constant)
        and one.targets[0].slice.value == "loss"
    ]
    return entries or _parts(value)


def _is_loss(key: ast.Constant) -> bool:
    return isinstance(key.value, str) and "loss" in key.value


def _cut(value: ast.expr, function: Function) -> CutLoss | None:
    """Where a returned loss is cut: whichever way it came, or on all ways from one of the losses.

    A model that picks one of several losses by its settings trains with none that is cut.  What
    is cut behind a condition, and returned as it is without it, is meant.
    """
    cuts: list[CutLoss] = []
    whole: set[ast.AST | None] = set()
    for way in ways_of(value, function, _followed):
        loss = _loss_of(way, function)
        place = None if loss is None else _place(way, function) or _before(loss)
        if loss is not None and place is not None:
            cuts.append(CutLoss(loss=loss, place=place, word=_word(place, function)))
        elif not is_none(way.source):
            whole.add(way.source)
    lost = [one for one in cuts if one.loss.call not in whole]
    if whole:
        lost = [one for one in lost if not is_off_limits(function, one.place)]
    return lost[0] if lost else _cut_before_sum(value, function)


def _cut_before_sum(value: ast.expr, function: Function) -> CutLoss | None:
    """Where the losses are cut of which a returned sum is made, all of them."""
    added = addends(value, function)
    cuts = [_cut(one, function) for one in added]
    return cuts[0] if cuts and all(cuts) else None


def _loss_of(way: Way, function: Function) -> LossCall | None:
    started = way.source if way.binding is None else None
    return loss_of(started, function) if isinstance(started, ast.Call) else None


def _followed(value: ast.expr, function: Function) -> list[ast.expr]:
    """Back through what cuts a graph, and what only shapes."""
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id == "float"
    ):
        return value.args[:1]
    made = operation(value, function)
    if made is not None and made[0] in CUTTING:
        return [made[1]]
    return shaped_from(value, function)


def _cuts(node: ast.AST, function: Function) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in CUTTING or node.attr == "data"
    return isinstance(node, ast.Call) and bool(_word(node, function))


def _word(node: ast.AST, function: Function) -> str:
    """What cuts at a node: "item", "data", "float"; "" where nothing does."""
    if isinstance(node, ast.Attribute):
        return node.attr if node.attr == "data" else ""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Name) and node.func.id == "float":
        return "float"
    made = operation(node, function)
    return made[0] if made is not None and made[0] in CUTTING else ""


def _place(way: Way, function: Function) -> ast.expr | None:
    """The last step that cuts: what is nearest to the loss."""
    cuts = (one for one in reversed(way.steps) if isinstance(one, ast.expr))
    return next((one for one in cuts if _word(one, function)), None)


def _before(loss: LossCall) -> ast.expr | None:
    """Where the scores are cut off before the loss is taken of them."""
    ways = ways_of(loss.scores, loss.function, _followed)
    places = [_place(way, loss.function) for way in ways]
    return places[0] if places and all(places) else None


def _copied(value: ast.expr, function: Function) -> CutLoss | None:
    """Where numbers are made of the losses whose sum is returned: `torch.tensor([a, b])`.

    A copy that is returned for the eye is no loss: only under that name, or as the one result.
    """
    named = isinstance(value, ast.Name) and "loss" in value.id
    if not named and not any(value in _given(one, function) for one in function.returned[:1]):
        return None
    for node in _behind(value, function):
        word = _word(node, function)
        given = node.args[:1] if isinstance(node, ast.Call) and word in _COPYING else []
        if given and isinstance(given[0], ast.List | ast.Tuple):
            for inner in _behind(given[0], function):
                loss = loss_of(inner, function) if isinstance(inner, ast.Call) else None
                if loss is not None and isinstance(node, ast.Call):
                    return CutLoss(loss=loss, place=node, word=word)
    return None


def _hears(value: ast.expr, function: Function) -> bool:
    """Whether something returned is made of a loss and keeps its graph."""
    for node in _behind(value, function):
        if isinstance(node, ast.Name):
            if "loss" in node.id and not function.bindings.by_name.get(node.id):
                return True
        elif isinstance(node, ast.Call | ast.Attribute) and not _word(node, function):
            # A loss of torch's, or of somebody's own: self.compute_loss(x).
            own = "loss" in _name(node)
            if own or (isinstance(node, ast.Call) and loss_of(node, function)):
                return True
    return False


def _behind(value: ast.expr, function: Function) -> Iterator[ast.AST]:
    """The nodes that a value is made of, names followed, as far as what cuts a graph."""
    seen: set[Binding] = set()
    queue: list[ast.AST] = [value]
    while queue and len(queue) < MOST:
        node = queue.pop()
        if isinstance(node, ast.Constant):
            continue
        yield node
        if isinstance(node, ast.expr) and _word(node, function):
            continue
        if isinstance(node, ast.Name):
            fresh = [one for one in function.reaching(node, carried=True) if one not in seen]
            seen.update(fresh)
            queue.extend(one.value for one in fresh if one.value is not None)
        queue.extend(ast.iter_child_nodes(node))


def _name(node: ast.Call | ast.Attribute) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.attr.lower() if isinstance(called, ast.Attribute) else ""
