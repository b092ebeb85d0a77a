"""GD617: a loss is scaled and its step is not, or the other way round, or the scale stays."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import (
    Stretch,
    exclude,
    leads_to,
    loops_around,
    training_of,
)

CODE = "GD617"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    for stretch, step in training_of(visit.project, visit.module).at(node, Kind.STEP):
        message = _wrong_pair(stretch, step) or _never_updated(stretch, step)
        if message:
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(node),
                symbol=visit.symbol,
                message=message,
                extent=(node.lineno, node.end_lineno or node.lineno),
            )


def _wrong_pair(stretch: Stretch, step: Event) -> str:
    """What is wrong with a backward pass and its step, of which only one knows the scale."""
    backward = _backward_before(stretch, step)
    if backward is None or backward.wrapped:
        return ""
    if backward.scaler and not step.scaler:
        other = any(one.scaler and not exclude(one, step) for one in stretch.of(Kind.STEP))
        if other or not step.sure:
            return ""
        return (
            f"`{text_of(step.node)}` uses the gradients of `{text_of(backward.node)}` with the "
            f"scale still in them: it takes `{backward.scaler}.step({step.subject})`"
        )
    if step.scaler and not backward.scaler:
        if any(one.scaler and not exclude(one, step) for one in stretch.of(Kind.BACKWARD)):
            return ""
        return (
            f"`{text_of(step.node)}` divides gradients by a scale that "
            f"`{text_of(backward.node)}` never multiplied them by"
        )
    return ""


def _backward_before(stretch: Stretch, step: Event) -> Event | None:
    """The last backward pass before a step, if it always runs before it."""
    for event in reversed(stretch.before(step)):
        if exclude(event, step):
            continue
        if event.kind in (Kind.UNSCALE, Kind.GRADIENTS, Kind.FOREIGN):
            return None
        if event.kind is Kind.BACKWARD:
            return event if leads_to(event, step) else None
    return None


def _never_updated(stretch: Stretch, step: Event) -> str:
    """What is wrong where a loop never updates the scaler: torch refuses its second step."""
    scaler = step.scaler
    scaled = any(one.scaler == scaler for one in stretch.of(Kind.BACKWARD))
    if not scaler or not scaled or next(loops_around(stretch, step), None) is None:
        return ""
    name = scaler.rpartition(".")[2]
    texts = {one.frame.module.text for one in (step, *stretch.of(Kind.BACKWARD))}
    elsewhere = any(f"{name}.update(" in text for text in texts)
    handed = any(_gives(one, scaler) for one in stretch.of(Kind.CALL))
    if elsewhere or handed or stretch.of(Kind.UPDATE):
        return ""
    return (
        f"nothing calls `{scaler}.update()` after `{text_of(step.node)}`: the scale never "
        "changes, and torch refuses the next step"
    )


def _gives(event: Event, scaler: str) -> bool:
    """Whether a call is given the scaler."""
    if not isinstance(event.node, ast.Call):
        return False
    given = [*event.node.args, *(one.value for one in event.node.keywords)]
    return any(event.frame.text(one) in (scaler, "self") for one in given)


SICK = """\
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler()
    for ids, targets in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
        scaler.scale(loss).backward()
        optimizer.step()
        scaler.update()
"""

DEFECT = Defect(
    code=CODE,
    name="scaler-misused",
    severity=Severity.HIGH,
    summary="A GradScaler scales the loss and not the step, or the step alone, or is not updated.",
    explanation=(
        "The three belong together: `scaler.scale(loss).backward()`, `scaler.step(optimizer)`, "
        "`scaler.update()`. Reported: a scaled loss whose gradients `optimizer.step()` uses "
        "directly, without `scaler.unscale_` before; `scaler.step` after the backward pass of a "
        "loss that was not scaled; a loop with `scaler.step` and no `update` in the whole file. "
        "Not meant: branches with and without a scaler; scalers that are handed to other code."
    ),
    harm=(
        "With the scale still in them gradients are 65,536 times too long, and infinite ones are "
        "not skipped; divided by a scale they never had, they are as much too short; without an "
        "update torch stops at the second step."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, print the norm of the gradients right "
        "before the step, with the scaler enabled and without."
    ),
    sick=SICK,
    healed=SICK.replace("        optimizer.step()", "        scaler.step(optimizer)"),
    suspects={calls("step"): _suspect},
)
