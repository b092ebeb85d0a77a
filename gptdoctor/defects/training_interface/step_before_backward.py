"""GD612: the optimizer steps before the backward pass that it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import root_name, start, text_of
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import (
    Stretch,
    optimizers_in,
    training_loop,
    training_of,
)

CODE = "GD612"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    for stretch, step in training_of(visit.project, visit.module).at(node, Kind.STEP):
        turn = training_loop(stretch, step) or stretch  # or a function for one step
        backward = _backward_after(turn, step)
        if backward is None or not _wasted(turn, step, backward):
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` comes before `{text_of(backward.node)}` every time: it never "
                "sees the gradients of this loss"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _backward_after(loop: Stretch, step: Event) -> Event | None:
    """The one backward pass of a plain loop body, if it stands behind the step."""
    others = loop.of(Kind.FOREIGN, Kind.GRADIENTS)
    if others or loop.once or len(optimizers_in(loop)) > 1 or not loop.always(step):
        return None
    passes = loop.of(Kind.BACKWARD)
    behind = bool(passes) and passes[0] in loop.after(step) and loop.always(passes[0])
    return passes[0] if behind and len(loop.of(Kind.STEP)) == 1 else None


def _wasted(loop: Stretch, step: Event, backward: Event) -> bool:
    """Whether no step ever uses these gradients: they are cleared first, or come too late.

    A step at the top of the loop that uses those of the turn before is an order like another.
    """
    clears = [one for one in loop.of(Kind.CLEAR) if loop.always(one)]
    cleared = any(one in loop.after(backward) or one in loop.before(step) for one in clears)
    return cleared or _made_before(loop, step, backward)


def _made_before(loop: Stretch, step: Event, backward: Event) -> bool:
    """Whether the loss was computed, in the same turn, with the weights before the step."""
    call = backward.node
    body = loop.frame.body if loop.loop is None else loop.loop.body
    if step.frame is not backward.frame or not isinstance(call, ast.Call):
        return False
    loss = call.args[0] if backward.wrapped and call.args else call.func
    name = root_name(loss)
    bindings = step.frame.bindings.reaching(name, start(call)) if name else []
    made = [one for one in bindings if one.value is not None]
    begin, stop = start(body[0]), start(step.node)
    return bool(made) and made == bindings and all(begin <= one.since <= stop for one in made)


SICK = """\
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for ids, targets in batches:
        optimizer.zero_grad()
        loss = criterion(model(ids).flatten(0, 1), targets.flatten())
        optimizer.step()
        loss.backward()
"""

DEFECT = Defect(
    code=CODE,
    name="step-before-backward",
    severity=Severity.HIGH,
    summary="In each turn of a loop the optimizer steps before the backward pass of the loss.",
    explanation=(
        "`optimizer.step()` moves the weights by the gradients that are there. Where it stands "
        "before `loss.backward()`, and the gradients are cleared in between, it moves them by "
        "nothing; and the weights that the loss was computed with have changed when its backward "
        "pass needs them. Not meant: a step at the top of the loop that uses the gradients of the "
        "turn before; closures; several optimizers that take turns."
    ),
    harm=(
        "The weights never follow the loss: they stay where they are, or torch refuses the "
        "backward pass because a weight was changed in place."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, compare a weight before and after a "
        "turn of the loop, or print the gradient's norm right before the step: it is 0 or None."
    ),
    sick=SICK,
    healed=SICK.replace("        optimizer.step()\n", "") + "        optimizer.step()\n",
    suspects={calls("step"): _suspect},
)
