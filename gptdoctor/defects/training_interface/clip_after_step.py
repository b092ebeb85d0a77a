"""GD615: gradients are clipped after the step that should have used the clipped ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.clip_limits import only_measures
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.training_events import CLIPS, Event, Kind
from gptdoctor.source.training_loops import Stretch, exclude, leads_to, training_of

CODE = "GD615"
MAKES_GRADIENTS = (Kind.BACKWARD, Kind.GRADIENTS, Kind.FOREIGN)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or only_measures(node):
        return
    for stretch, clip in training_of(visit.project, visit.module).at(node, Kind.CLIP):
        step = _step_before(stretch, clip)
        if step is None:
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` comes after `{text_of(step.node)}`, which has used the "
                "gradients as they were: nothing is clipped"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _step_before(stretch: Stretch, clip: Event) -> Event | None:
    """The step that has used the gradients of the last backward pass, unclipped."""
    if len({one.subject for one in stretch.of(Kind.STEP)}) > 1:
        return None  # which of them this clip is for is not told
    step: Event | None = None
    for event in reversed(stretch.before(clip)):
        if exclude(event, clip):
            continue
        if event.kind is Kind.STEP and step is None:
            if not leads_to(event, clip):
                return None
            step = event
        elif event.kind is Kind.CLIP and step is not None:
            return None
        elif event.kind in MAKES_GRADIENTS:
            return step if event.kind is Kind.BACKWARD else None
    return None


SICK = """\
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for ids, targets in batches:
        optimizer.zero_grad()
        loss = criterion(model(ids).flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""

DEFECT = Defect(
    code=CODE,
    name="clip-after-step",
    severity=Severity.MEDIUM,
    summary="Gradients are clipped after the optimizer's step, where nothing uses them any more.",
    explanation=(
        "`clip_grad_norm_` and `clip_grad_value_` shorten the gradients that are there; they "
        "belong between `loss.backward()` and `optimizer.step()`. Looked at: a clip that follows "
        "the step of the only optimizer with no backward pass between. Not meant: a limit without "
        "end, which only measures the norm; a clip before the step as well."
    ),
    harm=(
        "Nothing is clipped: one batch with a long gradient throws the weights as far as without "
        "the call, though the code says that this cannot happen."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, print the norm of the gradients right "
        "before the step: it exceeds the limit."
    ),
    sick=SICK,
    healed=SICK.replace("        optimizer.step()\n", "") + "        optimizer.step()\n",
    suspects={calls(*sorted(CLIPS)): _suspect},
)
