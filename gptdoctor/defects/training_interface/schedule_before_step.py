"""GD624: the learning rate's schedule steps before the optimizer does."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import (
    Stretch,
    leads_to,
    loops_around,
    optimizers_in,
    training_of,
)

CODE = "GD624"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or node.args or node.keywords or _is_meant(visit):
        return
    for stretch, schedule in training_of(visit.project, visit.module).at(node, Kind.SCHEDULE):
        turn = next(loops_around(stretch, schedule), None)
        if turn is None and stretch.frame.function is not None and stretch.of(Kind.BACKWARD):
            turn = stretch  # one step by itself, of which others make a loop
        step = None if turn is None else _step_after(turn, schedule)
        if step is None or not _is_torchs(schedule):
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` comes before `{text_of(step.node)}`: the first learning rate "
                "is never used"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _is_meant(visit: Visit) -> bool:
    """Whether torch's warning is silenced around the call: the author knows."""
    return any(
        "warnings" in text_of(item.context_expr)
        for parent in visit.parents
        if isinstance(parent, ast.With)
        for item in parent.items
    )


def _step_after(turn: Stretch, schedule: Event) -> Event | None:
    """The step of the only optimizer that follows in the same turn, where none came before."""
    steps = turn.of(Kind.STEP)
    if not steps or len(optimizers_in(turn)) > 1 or turn.of(Kind.FOREIGN) or turn.once:
        return None
    behind = all(one in turn.after(schedule) for one in steps)
    return steps[0] if behind and leads_to(schedule, steps[0]) else None


def _is_torchs(schedule: Event) -> bool:
    """Whether the schedule may be torch's: one of a class in sight may have to step first."""
    call, frame = schedule.node, schedule.frame
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    value = call.func.value
    while isinstance(value, ast.Name) and value.id in frame.given and frame.caller is not None:
        value, frame = frame.given[value.id], frame.caller
    if isinstance(value, ast.Name):
        home, bindings = frame.bound(value.id)
        made = [one.value for one in bindings if one.role is Role.WHOLE and one.value]
    else:
        home, made = frame, frame.attribute_values(value)
    return not any(_is_own(one, home) for one in made)


def _is_own(made: ast.expr, home: Frame) -> bool:
    """Whether a schedule is of a class that is not torch's."""
    called = home.module.names.called(made) or ""
    last = called.rpartition(".")[2]
    return last[:1].isupper() and not called.startswith("torch.optim.lr_scheduler.")


SICK = """\
import torch


def train(model, loader, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)
    for epoch in range(epochs):
        scheduler.step()
        for batch in loader:
            optimizer.zero_grad()
            model(batch).mean().backward()
            optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="schedule-before-step",
    severity=Severity.LOW,
    summary="A schedule of torch's steps before the optimizer: its first learning rate is skipped.",
    explanation=(
        "Since torch 1.1 a schedule sets the first learning rate when it is made, and its `step` "
        "sets the next: it belongs behind `optimizer.step()`. Looked at: a loop, or a function "
        "that is one step, in which a schedule of `torch.optim.lr_scheduler` steps each time "
        "before the only optimizer. Not meant: schedules of other libraries, some of which have "
        "to step first."
    ),
    harm=(
        "The whole schedule is one step early: the first rate is never used, decays come too soon. "
        "torch warns of it once."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, run it: torch warns that "
        "lr_scheduler.step() was called before optimizer.step()."
    ),
    sick=SICK,
    healed=SICK.replace("        scheduler.step()\n", "") + "        scheduler.step()\n",
    suspects={calls("step"): _suspect},
    confidence=Confidence.HIGH,
)
