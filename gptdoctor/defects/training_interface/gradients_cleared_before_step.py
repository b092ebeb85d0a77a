"""GD613: gradients are cleared between the backward pass and the step."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, attributes, calls
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.training_events import Branch, Event, Kind
from gptdoctor.source.training_loops import Stretch, exclude, leads_to, training_of

CODE = "GD613"
MAKES_GRADIENTS = (Kind.BACKWARD, Kind.GRADIENTS, Kind.FOREIGN)
# What a call of such a name may well do is write gradients that were kept aside.
QUIET = re.compile(
    r"^(print|len|item|float|int|range|append|mean|format|info|log|time|parameters|synchronize)$"
)
# What everyone calls the network that an optimizer is for, where both are given.
NETWORK = re.compile(r"^(self\.)?(model|net|network)$")


def _suspect_none(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`p.grad = None`, of each weight in a loop."""
    if isinstance(visit.parent, ast.Assign) and node in visit.parent.targets:
        yield from _suspect(visit.parent, visit)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call | ast.Assign):
        return
    for stretch, clear in training_of(visit.project, visit.module).at(node, Kind.CLEAR):
        step = _step_after(stretch, clear)
        backward = None if step is None else _backward_before(stretch, clear)
        if step is None or backward is None:
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` throws away what `{text_of(backward.node)}` computed, before "
                f"`{text_of(step.node)}` could use it"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _step_after(stretch: Stretch, clear: Event) -> Event | None:
    """The step of the cleared optimizer that follows with nothing but quiet calls between."""
    for event in stretch.after(clear):
        if event.kind is Kind.STEP and event.subject != "":
            same = event.path == _path(clear) and _clears(clear, event, stretch)
            plain = isinstance(event.node, ast.Call) and (event.scaler or not event.node.args)
            return event if same and plain else None
        if event.kind in MAKES_GRADIENTS:
            return None
        if event.kind is Kind.CALL and not event.known and not _is_quiet(event):
            return None
    return None


def _path(clear: Event) -> tuple[Branch, ...]:
    """The branches around a clear; of `for p in weights: p.grad.zero_()` those around the loop."""
    loop = _weights_loop(clear)
    return clear.path if loop is None else clear.path[: [one for one, _ in clear.path].index(loop)]


def _weights_loop(clear: Event) -> ast.For | None:
    """The loop that clears the gradients of some weights one by one, and does nothing else."""
    around = [one for one, _ in clear.path[::-1]] if not clear.subject else []
    inner = 1 if around and isinstance(around[0], ast.If) else 0  # `if p.grad is not None:`
    loop = around[inner] if len(around) > inner else None
    alone = all(len(getattr(one, "body", ())) == 1 for one in around[: inner + 1])
    return loop if alone and isinstance(loop, ast.For) else None


def _is_quiet(event: Event) -> bool:
    return QUIET.search(event.subject.rpartition(".")[2]) is not None


def _clears(clear: Event, step: Event, stretch: Stretch) -> bool:
    """Whether what is cleared is what the step uses: the optimizer's, or its model's."""
    if clear.subject == step.subject:
        return True
    loop = _weights_loop(clear)
    if loop is not None:
        given = [one.args[0] for one in _makers(step.subject, stretch.frame) if _has_weights(one)]
        return bool(given) and all(_parts(one) == _parts(loop.iter) for one in given)
    if len({one.subject for one in stretch.of(Kind.STEP)}) > 1:
        return False
    made = [text_of(one) for one in _makers(step.subject, stretch.frame)]
    if not made:  # both are given: one optimizer, and the model by its plain name
        return NETWORK.search(clear.subject) is not None and not _is_made(clear, stretch)
    cleared = [f"{name}.parameters()" for name in _names_of(clear.subject, stretch.frame)]
    # An optimizer of two models still steps the other by what it has learned.
    single = all(text.count(".parameters()") == 1 for text in made)
    return single and all(any(one in text for one in cleared) for text in made)


def _has_weights(maker: ast.expr) -> TypeGuard[ast.Call]:
    return isinstance(maker, ast.Call) and bool(maker.args)


def _parts(weights: ast.expr) -> list[str]:
    """The weights of a display, whatever its brackets are; else the whole as it is written."""
    if isinstance(weights, ast.List | ast.Tuple):
        return sorted(map(text_of, weights.elts))
    return [text_of(weights)]


def _is_made(clear: Event, stretch: Stretch) -> bool:
    """Whether the model that is cleared is one that the function makes beside the optimizer."""
    name = clear.subject
    return name.isidentifier() and any(
        one.role is not Role.ARGUMENT for one in stretch.frame.bound(name)[1]
    )


def _makers(optimizer: str, frame: Frame) -> list[ast.expr]:
    """What an optimizer was made by, that a name or an attribute of `self` holds."""
    if optimizer.isidentifier():
        _, bindings = frame.bound(optimizer)
        return [one.value for one in bindings if one.role is Role.WHOLE and one.value is not None]
    return _assigned(optimizer, frame)


def _names_of(model: str, frame: Frame) -> list[str]:
    """A model's name, and the constructor's own for what it keeps: `self.net = net`."""
    return [model, *(one.id for one in _assigned(model, frame) if isinstance(one, ast.Name))]


def _assigned(attribute: str, frame: Frame) -> list[ast.expr]:
    """What `self.NAME` is assigned in the class, of its name as text."""
    owner, _, name = attribute.partition(".")
    if owner != "self" or not name.isidentifier():
        return []
    return frame.attribute_values(ast.Attribute(ast.Name(owner), name))


def _backward_before(stretch: Stretch, clear: Event) -> Event | None:
    """The backward pass whose gradients are still unused when they are cleared."""
    for event in reversed(stretch.before(clear)):
        if event.kind is Kind.STEP and not exclude(event, clear):
            return None
        if event.kind is Kind.CLEAR and not exclude(event, clear):
            return None
        if event.kind in (Kind.GRADIENTS, Kind.FOREIGN):
            return None
        if event.kind is Kind.BACKWARD and not exclude(event, clear):
            return event if leads_to(event, clear) else None
    return None


SICK = """\
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.Adam(model.parameters())
    criterion = nn.CrossEntropyLoss()
    for ids, targets in batches:
        loss = criterion(model(ids).flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="gradients-cleared-before-step",
    severity=Severity.HIGH,
    summary="The gradients are cleared after the backward pass and before the step.",
    explanation=(
        "In order: `backward` fills the gradients, `step` uses them, `zero_grad` clears them for "
        "the next turn. Where `zero_grad` of the same optimizer, or of the model that it was made "
        "for, stands between the two others, the step finds none. Not meant: the other optimizer "
        "of two (a generator's and a discriminator's); gradients that are kept aside and written "
        "back; a second backward pass before the step."
    ),
    harm="The weights never move, apart from weight decay and momentum that is left over.",
    confirmed_by=(
        "No probe runs a user's training loop. To see it, compare a weight before and after a "
        "turn of the loop, or print the gradient's norm right before the step: it is 0 or None."
    ),
    sick=SICK,
    healed=SICK.replace("        optimizer.zero_grad()\n", "") + "        optimizer.zero_grad()\n",
    suspects={calls("zero_grad", "zero_"): _suspect, attributes("grad"): _suspect_none},
)
