"""GD616: gradients are clipped while they are still multiplied by the loss's scale."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.clip_limits import limit_says, only_measures
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.training_events import CLIPS, Event, Kind
from gptdoctor.source.training_loops import Stretch, exclude, training_of

CODE = "GD616"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or only_measures(node):
        return
    for stretch, clip in training_of(visit.project, visit.module).at(node, Kind.CLIP):
        backward = None if clip.wrapped else _scaled_before(stretch, clip)
        if backward is None or not _steps_scaled(stretch, clip, backward):
            continue
        if limit_says(clip, "scale"):  # scaler.get_scale(): the limit is in the same units
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` clips gradients that are still multiplied by the scale of "
                f"`{backward.scaler}`: call `{backward.scaler}.unscale_(optimizer)` first"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _scaled_before(stretch: Stretch, clip: Event) -> Event | None:
    """The scaled backward pass whose gradients are clipped as they are."""
    for event in reversed(stretch.before(clip)):
        if exclude(event, clip):
            continue
        if event.kind in (Kind.UNSCALE, Kind.GRADIENTS, Kind.FOREIGN):
            return None
        if event.kind is Kind.BACKWARD:
            return event if event.scaler and not event.wrapped else None
    return None


def _steps_scaled(stretch: Stretch, clip: Event, backward: Event) -> bool:
    """Whether the scaler's own step follows, which divides by the scale when it is too late."""
    for event in stretch.after(clip):
        if event.kind is Kind.STEP and not exclude(event, clip):
            return event.scaler == backward.scaler
        if event.kind is Kind.BACKWARD:
            return False
    return False


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
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
"""

DEFECT = Defect(
    code=CODE,
    name="clip-before-unscale",
    severity=Severity.MEDIUM,
    summary="Gradients are clipped while they are still multiplied by the scale of a GradScaler.",
    explanation=(
        "After `scaler.scale(loss).backward()` all gradients are multiplied by the scale, 65,536 "
        "at first, and `scaler.step(optimizer)` divides by it. A clip in between compares the "
        "multiplied ones with its limit, unless `scaler.unscale_(optimizer)` stands before it. "
        "Not meant: accelerate's and Lightning's own clips, which unscale; a loss that is not "
        "scaled; a limit that is multiplied by the scale as well, or that is endless."
    ),
    harm=(
        "A limit of 1.0 acts as 1/65,536: all gradients are cut to almost nothing, and by how "
        "much changes whenever the scale does."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, print what `clip_grad_norm_` returns: it "
        "is tens of thousands of times the norm in full precision."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        nn.utils.clip", "        scaler.unscale_(optimizer)\n        nn.utils.clip"
    ),
    suspects={calls(*sorted(CLIPS)): _suspect},
)
