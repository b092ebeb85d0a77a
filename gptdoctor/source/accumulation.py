"""Loops that add the gradients of several batches up, and step once for all of them.

Three ways to write one: a step in every n-th turn, by the remainder of a count; a step where a
count that begins anew has come to n; and a loop of its own over n parts of a batch, with the step
after it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.flow_targets import TRANSPARENT, Role, names_in, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.training_events import Branch, Event, Kind
from gptdoctor.source.training_loops import (
    LOOPS,
    Stretch,
    exclude,
    loops_around,
    optimizers_in,
)

Gate = tuple[ast.expr, bool]  # a test, and whether it holds where something happens
Count = tuple[ast.expr, ast.expr, bool]  # what counts, up to what, and whether by a remainder
_ENDS = ast.Continue | ast.Return
# Calls that cut a batch into parts.
CUTS = frozenset({"chunk", "split", "tensor_split", "array_split"})
_STEPPED = 3  # arguments of range(0, length, size)
_PARTS = re.compile(r"accum|micro", re.IGNORECASE)
_FETCHED = re.compile(r"batch|micro|chunk", re.IGNORECASE)
# Several losses of one game or text, whose sum is what is meant.
_SUMS = re.compile(r"\b(env|state|hidden|mems?|tasks?)\b|reward|episode|rollout", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Accumulation:
    """A backward pass in each turn, and one step for several of them."""

    backward: Event
    step: Event
    batches: ast.expr  # how many there are, or the call that cuts a batch into them

    @property
    def words(self) -> frozenset[str]:
        """The last names of how many there are: what a loss would be divided by."""
        counts = [self.batches]
        if called_name(self.batches) in {*CUTS, "range"} and isinstance(self.batches, ast.Call):
            counts = self.batches.args[:2]  # a size, third of a range, cuts the targets as well
        found = {text_of(one).partition("(")[0].rpartition(".")[2].strip("]'\"") for one in counts}
        return frozenset(one for one in found if one.isidentifier())


def accumulation_at(stretch: Stretch, backward: Event) -> Accumulation | None:
    """The accumulation that a backward pass takes part in, where that is sure."""
    region = next((one for one in loops_around(stretch, backward) if one.of(Kind.STEP)), stretch)
    steps = region.of(Kind.STEP)
    plain = not region.of(Kind.FOREIGN, Kind.GRADIENTS) and all(one.sure for one in steps)
    if not steps or not plain or len(optimizers_in(region)) > 1:
        return None
    if not region.of(Kind.CLEAR) or not _same_loss(region):
        return None
    loops = [node for node, _ in _within(region, backward) if isinstance(node, LOOPS)]
    if any(isinstance(node, LOOPS) for one in steps for node, _ in _within(region, one)):
        return None
    found = _by_count(region, backward) if not loops else None
    if len(loops) == 1 and isinstance(loops[0], ast.For):
        found = _in_parts(region, backward, loops[0])
    if found is None or _is_one(found, steps[0].frame) or _speaks_of_sums(region):
        return None
    return Accumulation(backward, steps[0], found)


def _same_loss(region: Stretch) -> bool:
    """Whether a turn goes backward once; a pass in each branch of one statement is one."""
    passes = region.of(Kind.BACKWARD)
    return all(
        one is other or (one.subject == other.subject and exclude(one, other))
        for one in passes
        for other in passes
    )


def _within(region: Stretch, event: Event) -> tuple[Branch, ...]:
    """The branches and loops around an event inside a region."""
    return event.path[len(region.around) :]


def _speaks_of_sums(region: Stretch) -> bool:
    node = region.loop or (None if region.frame.function is None else region.frame.function.node)
    return node is not None and _SUMS.search(text_of(node)) is not None


# --- a step in every n-th turn


def _by_count(region: Stretch, backward: Event) -> ast.expr | None:
    """Up to what is counted before each step and each clearing of gradients."""
    if len(region.of(Kind.BACKWARD)) == 1 and _count_at(region, backward) is not None:
        return None  # goes backward in the n-th turn alone
    counts = [_count_at(region, one) for one in region.of(Kind.STEP, Kind.CLEAR)]
    first = _count_at(region, region.of(Kind.STEP)[0])
    return first[1] if first is not None and None not in counts else None


def _count_at(region: Stretch, event: Event) -> Count | None:
    """The count that an event waits for."""
    for test, holds in _gates(region, event):
        count = _every_nth(test, holds, event.frame, 0)
        if count is not None and _counts_turns(region, event, count):
            return count
    return None


def _gates(region: Stretch, event: Event) -> Iterator[Gate]:
    """What has to hold, or not, for an event to happen in a turn."""
    for node, body in _within(region, event):
        if isinstance(node, ast.If):
            yield node.test, not body
    turn = region.frame.body if region.loop is None else region.loop.body
    for statement in turn if event.frame is region.frame else []:
        if start(statement) >= start(event.node):
            break
        alone = isinstance(statement, ast.If) and not statement.orelse
        if isinstance(statement, ast.If) and alone and isinstance(statement.body[-1], _ENDS):
            yield statement.test, False  # the rest of the turn is for the others


def _every_nth(test: ast.expr, holds: bool, frame: Frame, depth: int) -> Count | None:
    """The count of a test that picks every n-th turn."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _every_nth(test.operand, not holds, frame, depth)
    if isinstance(test, ast.BoolOp):  # "or it is the last", "and nothing is NaN"
        found = (_every_nth(one, holds, frame, depth) for one in test.values)
        return next((one for one in found if one is not None), None)
    if isinstance(test, ast.Name) and not depth:
        made = frame.bindings.reaching(test.id, start(test))
        value = made[0].value if len(made) == 1 and made[0].role is Role.WHOLE else None
        return None if value is None else _every_nth(value, holds, frame, depth + 1)
    if isinstance(test, ast.BinOp) and isinstance(test.op, ast.Mod):
        return None if holds else (test.left, test.right, True)
    return _compared(test, holds) if isinstance(test, ast.Compare) else None


def _compared(test: ast.Compare, holds: bool) -> Count | None:
    """The count of `(i + 1) % n == 0`, `i % n != 0` or `count == n`."""
    if len(test.ops) > 1:
        return None
    op, left, right = test.ops[0], test.left, test.comparators[0]
    if not isinstance(op, (ast.Eq, ast.GtE) if holds else (ast.NotEq, ast.Gt, ast.Lt)):
        return None
    for one in (left, right):
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mod):
            # `i % n > 0` and `i % n == n - 1` pick turns; `i % n >= 1` and `i % n < 3` do not.
            sure = isinstance(op, ast.Eq | ast.NotEq) or (isinstance(op, ast.Gt) and one is left)
            return (one.left, one.right, True) if sure else None
    if isinstance(op, ast.Gt | ast.NotEq):
        return None
    return (left, right, False)


def _counts_turns(region: Stretch, event: Event, count: Count) -> bool:
    """Whether a count goes up with the turns, and begins anew where no remainder is taken."""
    counted, _, remainder = count
    kinds = ast.Name | ast.Attribute | ast.Subscript
    named = [one for one in every_node(counted) if isinstance(one, kinds)]
    words = {text_of(one) for one in named} | {event.frame.text(one) for one in named}
    places = _places(region, event)
    if not remainder and not any(_begins_anew(one, text_of(counted)) for one in places):
        return False
    return not words.isdisjoint(_counters(region, event, places))


def _places(region: Stretch, event: Event) -> list[ast.AST]:
    """Where a count may go up: in the loop, or in the helper in which the event stands."""
    if region.loop is not None and event.frame is region.frame:
        return [region.loop]
    functions = (region.frame.function, event.frame.function)
    found: list[ast.AST] = [] if region.loop is None else [region.loop]
    return [*found, *(one.node for one in functions if one is not None)]


def _begins_anew(place: ast.AST, counted: str) -> bool:
    """Whether a count is set to 0."""
    return any(
        isinstance(one, ast.Assign)
        and text_of(one.targets[0]) == counted
        and isinstance(one.value, ast.Constant)
        and one.value.value == 0
        for one in every_node(place)
    )


def _counters(region: Stretch, event: Event, places: list[ast.AST]) -> set[str]:
    """What goes up from turn to turn."""
    loop, function = region.loop, event.frame.function
    found = {word for place in places for word in _raised(place)}
    if isinstance(loop, ast.For):
        found.update(one.id for one in names_in(loop.target))
    elif loop is None and function is not None:  # the caller's loop, and so may the count be
        found.update(function.parameter_names)
    return found


def _raised(place: ast.AST) -> Iterator[str]:
    """What is made larger by `+=`, or by `i = i + 1`."""
    for node in every_node(place):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            yield text_of(node.target)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
            counted = text_of(node.targets[0])
            if text_of(node.value.left) == counted:
                yield counted


# --- a loop over the parts of a batch


def _in_parts(region: Stretch, backward: Event, loop: ast.For) -> ast.expr | None:
    """How many parts a loop has, after which the step comes."""
    steps, clears = region.of(Kind.STEP), region.of(Kind.CLEAR)
    inside = any(node is loop for one in clears for node, _ in one.path)
    before = all(region.events.index(one) < region.events.index(backward) for one in steps)
    if inside or before or backward.again or loop.orelse:
        return None
    made = _iterated(loop.iter, region.frame)
    if not isinstance(made, ast.Call):
        return None
    if called_name(made) in CUTS:
        return made if not _cuts_words(made) else None
    if called_name(made) == "islice" and 1 < len(made.args) < _STEPPED:  # islice(batches, n)
        return made.args[1]
    if text_of(made.func) not in ("range", "trange"):
        return None
    if len(made.args) == _STEPPED:  # range(0, len(x), size), by which a batch is cut
        return made if _cuts_by(loop) else None
    if len(made.args) != 1:
        return None
    spoken = f"{text_of(loop.target)} {text_of(made)}"
    return made.args[0] if _PARTS.search(spoken) or _fetches(loop) else None


def _iterated(value: ast.expr, frame: Frame) -> ast.expr:
    """What a loop goes over: through enumerate, zip, tqdm and a name."""
    while isinstance(value, ast.Call) and value.args:
        if called_name(value) not in {*TRANSPARENT, "enumerate", "zip"}:
            return value
        value = value.args[0]
    if isinstance(value, ast.Name):
        made = frame.bindings.reaching(value.id, start(value))
        if len(made) == 1 and made[0].role is Role.WHOLE and made[0].value is not None:
            return made[0].value
    return value


def _cuts_words(call: ast.Call) -> bool:
    """Whether a text is split, and no batch."""
    return not call.args or isinstance(getattr(call.args[0], "value", 0), str)


def _fetches(loop: ast.For) -> bool:
    """Whether each turn gets data of its own: by `next`, by a call of a batch, by number."""
    var = text_of(loop.target)
    for node in every_node(loop):
        if isinstance(node, ast.Call):
            name = called_name(node)
            if (name == "next" and isinstance(node.func, ast.Name)) or _FETCHED.search(name):
                return True
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            index = node.slice
            by_number = text_of(index) == var and _FETCHED.search(text_of(node.value))
            cut = isinstance(index, ast.Slice) and re.search(rf"\b{var}\b", text_of(index))
            if by_number or cut:
                return True
    return False


def _cuts_by(loop: ast.For) -> bool:
    """Whether each turn takes a stretch of a tensor that begins at the loop's own number."""
    var = text_of(loop.target)
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and node.slice.lower is not None
        and text_of(node.slice.lower) == var
        for node in every_node(loop)
    )


def _is_one(batches: ast.expr, frame: Frame) -> bool:
    """Whether the text says that there is one batch a step."""
    if isinstance(batches, ast.Name):
        made = frame.bound(batches.id)[1]
        value = made[0].value if len(made) == 1 and made[0].role is Role.WHOLE else None
        batches = value or batches
    return isinstance(batches, ast.Constant) and batches.value in (1, None)
