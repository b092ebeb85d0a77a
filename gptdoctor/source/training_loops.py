"""The loops of a module that train, read once for all rules that speak of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.training_events import (
    MOST_CALLS,
    Branch,
    Event,
    Kind,
    events_of,
    source_of,
    speaks,
)

STEPS = re.compile(r"\.step\(|\bbackward\(")
# They have optimizers and backward passes with manners of their own.
OTHER_FRAMEWORKS = frozenset(
    {"mxnet", "tensorflow", "keras", "paddle", "jax", "mindspore", "oneflow", "chainer", "tinygrad"}
)
LOOPS = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True, eq=False)
class Stretch:
    """Events of one function or script, in order, below the same branches and loops."""

    frame: Frame
    events: list[Event]
    around: tuple[Branch, ...] = ()  # the last of them is the loop, if this is a loop's body

    def of(self, *kinds: Kind) -> list[Event]:
        """The events of some kinds."""
        return [one for one in self.events if one.kind in kinds]

    def between(self, first: Event, last: Event) -> list[Event]:
        """What happens after `first` and before `last`."""
        begin, stop = self.events.index(first), self.events.index(last)
        return self.events[begin + 1 : stop]

    def before(self, event: Event) -> list[Event]:
        """What happens before an event."""
        return self.events[: self.events.index(event)]

    def after(self, event: Event) -> list[Event]:
        """What happens after an event."""
        return self.events[self.events.index(event) + 1 :]

    def always(self, event: Event) -> bool:
        """Whether an event happens each time that this stretch runs through."""
        return event.path == self.around

    @property
    def loop(self) -> ast.For | ast.AsyncFor | ast.While | None:
        """The loop, if this is the body of one."""
        node = self.around[-1][0] if self.around else None
        return node if isinstance(node, LOOPS) else None

    @property
    def once(self) -> bool:
        """Whether the loop is left at the end of its first turn: no loop at all."""
        loop = self.loop
        ends = ast.Break | ast.Return | ast.Raise
        return loop is not None and isinstance(loop.body[-1], ends)


@dataclass(frozen=True, eq=False)
class Training:
    """All that trains in one module."""

    whole: tuple[Stretch, ...]  # the functions and the script that hold any event of training

    @cached_property
    def by_node(self) -> dict[int, list[tuple[Stretch, Event]]]:
        """The stretches in which a call is an event, by the id of its node."""
        found: dict[int, list[tuple[Stretch, Event]]] = {}
        for stretch in self.whole:
            for event in stretch.events:
                if event.kind is not Kind.CALL:
                    found.setdefault(id(event.node), []).append((stretch, event))
        return found

    def at(self, node: ast.AST, *kinds: Kind) -> Iterator[tuple[Stretch, Event]]:
        """The functions and scripts in which `node` is an event of some kind."""
        for stretch, event in self.by_node.get(id(node), []):
            if event.kind in kinds:
                yield stretch, event


def leads_to(earlier: Event, later: Event) -> bool:
    """Whether an event has always happened where a later one does: no branch lies between."""
    if later.path[: len(earlier.path)] == earlier.path:
        return True
    known = [id(node) for node, _ in later.path]
    tests = list(_tests(later))
    return all(
        id(node) in known or (isinstance(node, ast.If) and (text_of(node.test), body) in tests)
        for node, body in earlier.path
    )


def exclude(one: Event, other: Event) -> bool:
    """Whether only one of two events happens: branches of one statement, or of the same test."""
    branches = {id(node): body for node, body in one.path}
    if any(branches.get(id(node), body) != body for node, body in other.path):
        return True
    tests = dict(_tests(one))
    return any(tests.get(test, body) != body for test, body in _tests(other))


def _tests(event: Event) -> Iterator[tuple[str, int]]:
    """What is asked on the way to an event, and which branch was taken."""
    for node, body in event.path:
        if isinstance(node, ast.If):
            yield text_of(node.test), body


def optimizers_in(stretch: Stretch) -> set[str]:
    """The optimizers that step, in the outermost caller's words."""
    return {step.subject for step in stretch.of(Kind.STEP)}


def loops_around(stretch: Stretch, event: Event) -> Iterator[Stretch]:
    """The bodies of the loops around an event in a stretch, innermost first."""
    for depth in range(len(event.path), 0, -1):
        node, body = event.path[depth - 1]
        if isinstance(node, LOOPS) and not body:
            around = event.path[:depth]
            inside = [one for one in stretch.events if one.path[:depth] == around]
            yield Stretch(stretch.frame, inside, around)


def training_loop(stretch: Stretch, event: Event) -> Stretch | None:
    """The innermost loop around an event that runs backward and steps."""
    for loop in loops_around(stretch, event):
        if loop.of(Kind.BACKWARD) and loop.of(Kind.STEP):
            return loop
    return None


@kept(64)
def training_of(project: Project, module: SourceModule) -> Training:
    """Read what trains in a module."""
    if not STEPS.search(module.text) or _is_foreign(module):
        return Training(())  # it may evaluate, but nothing here trains
    functions = _that_train(list(functions_of(project, module).values()))
    frames = [Frame(project, module, None)]
    frames.extend(Frame(project, module, function) for function in functions)
    try:
        stretches = [Stretch(frame, events_of(frame)) for frame in frames]
    except RecursionError:  # a chain of a thousand `elif`s
        return Training(())
    return Training(tuple(one for one in stretches if one.of(Kind.BACKWARD, Kind.STEP)))


def _is_foreign(module: SourceModule) -> bool:
    """Whether a file is written for another framework: its gradients may clear by themselves."""
    used = {
        name.partition(".")[0] for name in (*module.names.aliases.values(), *module.names.stars)
    }
    return "torch" not in used and not used.isdisjoint(OTHER_FRAMEWORKS)


def _that_train(functions: list[Function]) -> list[Function]:
    """The functions whose text says anything of training, and those that call one which steps."""
    found = [one for one in functions if speaks(one)]
    stepping = [one for one in found if STEPS.search(source_of(one))]
    for _ in range(MOST_CALLS):
        if not stepping:
            break
        named = re.compile(rf"\b({'|'.join({re.escape(one.name) for one in stepping})})\(")
        stepping = [one for one in functions if one not in found and named.search(source_of(one))]
        found.extend(stepping)
    return found
