"""GD627: backward is run on a loss that was made while gradients were switched off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import Role, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.gradient_modes import is_off
from gptdoctor.source.training_events import Event, Kind, source_of
from gptdoctor.source.training_loops import training_of

CODE = "GD627"
# A function with these words may make a graph wherever it is called.
SWITCHES_ON = re.compile(r"enable_grad|set_grad_enabled|requires_grad")
TRIES = re.compile(r"raises|assertRaises", re.IGNORECASE)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for stretch, backward in training_of(visit.project, visit.module).at(node, Kind.BACKWARD):
        loss = _loss(backward)
        if loss is None or backward.frame is not stretch.frame or _is_tried(visit):
            continue
        made = _made_off(loss, stretch.frame)
        if made is None:
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(made),
            symbol=visit.symbol,
            message=(
                f"`{text_of(made)}` is computed with gradients switched off: "
                f"`{text_of(backward.node)}` finds no graph"
            ),
            extent=(made.lineno, made.end_lineno or made.lineno),
        )


def _loss(backward: Event) -> ast.expr | None:
    """What `backward` is called on or given."""
    call = backward.node
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    value = call.args[0] if call.args else call.func.value
    if backward.scaler and isinstance(value, ast.Call) and value.args:
        value = value.args[0]
    while isinstance(value, ast.BinOp):
        value = value.left
    return value


def _made_off(loss: ast.expr, frame: Frame) -> ast.expr | None:
    """The expression that made the loss, if each that may have made it stands without gradients."""
    if isinstance(loss, ast.Call):
        return loss if is_off(loss, frame) and not _switches_on(loss, frame) else None
    if not isinstance(loss, ast.Name):
        return None
    bindings = frame.bindings.reaching(loss.id, start(loss), carried=True)
    values = [one.value for one in bindings if one.role in (Role.WHOLE, Role.CHANGED)]
    if not values or len(values) != len(bindings) or _asks_for_gradient(loss, frame):
        return None
    off = [one for one in values if one is not None and is_off(one, frame) and _makes(one, frame)]
    return off[-1] if len(off) == len(values) else None


def _makes(value: ast.expr, frame: Frame) -> bool:
    """Whether a value is computed here and not only kept: a call, an operation, an attribute."""
    if isinstance(value, ast.Call):
        return not _switches_on(value, frame)
    return isinstance(value, ast.BinOp | ast.Attribute)


def _switches_on(call: ast.Call, frame: Frame) -> bool:
    """Whether a call runs code that may make a graph all the same."""
    callee = frame.called(call)
    words = text_of(call) + ("" if callee is None else source_of(callee))
    return SWITCHES_ON.search(words) is not None


def _asks_for_gradient(loss: ast.Name, frame: Frame) -> bool:
    """`loss.requires_grad_()` makes a leaf of it: another rule's affair."""
    text = frame.module.text if frame.function is None else source_of(frame.function)
    return f"{loss.id}.requires_grad" in text


def _is_tried(visit: Visit) -> bool:
    return any(
        TRIES.search(text_of(item.context_expr))
        for parent in visit.parents
        if isinstance(parent, ast.With)
        for item in parent.items
    ) or any(isinstance(parent, ast.Try) for parent in visit.parents)


SICK = """\
import torch
from torch import nn


def train(model, batches, optimizer):
    for ids, targets in batches:
        with torch.no_grad():
            logits = model(ids)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="trained-under-no-grad",
    severity=Severity.HIGH,
    summary="backward is called on a loss that was computed with gradients switched off.",
    explanation=(
        "Under `torch.no_grad()` or `torch.inference_mode()`, as a block or above the function, "
        "no graph is made, and `loss.backward()` has nothing to go back through. Looked at: a loss "
        "of which every assignment in the function stands in such a block. Not meant: blocks "
        "inside that switch gradients on again; losses that are put together outside as well; "
        "calls that are tried to see them fail."
    ),
    harm=(
        "torch stops with 'element 0 of tensors does not require grad'; nothing can be trained by "
        "this loop."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, print `loss.requires_grad` right before "
        "the backward pass: it is False. The same in a model's forward is no-grad-in-forward."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        with torch.no_grad():\n            logits", "        logits"
    ).replace("            loss =", "        loss ="),
    suspects={calls("backward", "manual_backward"): _suspect},
)
