"""GD627: backward is run on a loss that was made while gradients were switched off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import Role, end, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.gradient_modes import is_off
from gptdoctor.source.graphless import Graph, computes, graph_of
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import training_of

CODE = "GD627"
TRIES = re.compile(r"raises|assertRaises", re.IGNORECASE)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for stretch, backward in training_of(visit.project, visit.module).at(node, Kind.BACKWARD):
        loss = _loss(backward)
        if loss is None or backward.frame is not stretch.frame or _is_tried(visit):
            continue
        leaf = _leaf(loss, stretch.frame)
        if leaf is not None:
            yield _of_leaf(leaf, backward.node, visit)
        elif graph_of(loss, stretch.frame) is Graph.NONE:
            yield _suspicion(loss, backward.node, _made_off(loss, stretch.frame), visit)


def _suspicion(loss: ast.expr, backward: ast.AST, made: ast.expr | None, visit: Visit) -> Suspicion:
    """At what made the loss without a graph; where its parts were made so, at the backward pass."""
    what, place = f"`{text_of(loss)}` is made of what was", backward
    if made is not None:
        what, place = f"`{text_of(made)}` is", made
    return Suspicion(
        rule=CODE,
        location=visit.module.location(place),
        symbol=visit.symbol,
        message=(
            f"{what} computed with gradients switched off: `{text_of(backward)}` finds no graph"
        ),
        extent=(start(place)[0], end(place)[0]),
    )


def _leaf(loss: ast.expr, frame: Frame) -> ast.AST | None:
    """Where a loss without a graph is told that it wants gradients, so that backward may run.

    `loss.requires_grad = True`, `torch.tensor(loss.item(), requires_grad=True)`.
    """
    if not isinstance(loss, ast.Name):
        return None
    bindings = frame.bindings.reaching(loss.id, start(loss))
    made = [one.value for one in bindings if one.role is Role.WHOLE and one.value is not None]
    if made and len(made) == len(bindings) and all(_wants(one, frame) for one in made):
        return made[0]
    text = f"{loss.id}.requires_grad"
    body = frame.body if f"{text} = True" in _text(frame) or f"{text}_()" in _text(frame) else []
    told = [
        node
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Assign | ast.Expr)
        and text_of(node) in (f"{text} = True", f"{text}_()")
        and start(node) < start(loss)
    ]
    off = [graph_of(one, frame) is Graph.NONE for one in made]
    return told[-1] if told and off and all(off) else None


def _text(frame: Frame) -> str:
    return frame.module.text if frame.function is None else frame.function.text


def _wants(value: ast.expr, frame: Frame) -> bool:
    """Whether a value is a new tensor that wants gradients: nothing led to it."""
    called = frame.module.names.called(value) or ""
    fresh = called in ("torch.tensor", "torch.autograd.Variable")
    given = [one.value for one in getattr(value, "keywords", ()) if one.arg == "requires_grad"]
    return fresh and any(isinstance(one, ast.Constant) and one.value is True for one in given)


def _of_leaf(leaf: ast.AST, backward: ast.AST, visit: Visit) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=visit.module.location(leaf),
        symbol=visit.symbol,
        message=(
            f"`{text_of(leaf)}` makes a leaf of the loss: `{text_of(backward)}` runs, and no "
            "weight hears of it"
        ),
        extent=(start(leaf)[0], end(leaf)[0]),
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
    """The expression that made the loss here, if each that may have made it stands in a block."""
    if not isinstance(loss, ast.Name):
        return loss if is_off(loss, frame) else None
    bindings = frame.bindings.reaching(loss.id, start(loss), carried=True)
    values = [one.value for one in bindings if one.role in (Role.WHOLE, Role.CHANGED)]
    off = [one for one in values if one is not None and computes(one) and is_off(one, frame)]
    return off[-1] if off and len(off) == len(bindings) else None


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
        "Under `torch.no_grad()` or `torch.inference_mode()`, as a block or above the function, or "
        "behind `torch.set_grad_enabled(False)`, no graph is made, and `loss.backward()` has "
        "nothing to go back through. Looked at: a loss that is computed there, or that a loss of "
        "torch's or other operations make of logits from there and of data alone; helpers in sight "
        "are followed; and a loss that is made a leaf by hand, by `requires_grad = True`, so that "
        "`backward` runs all the same. Not meant: blocks inside that switch gradients on again; "
        "losses of which any part may have a graph; calls that are tried to see them fail."
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
