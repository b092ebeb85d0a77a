"""GD614: a loss is computed and the optimizer steps, and nothing runs backward."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import names_in, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.surely_losses import is_surely_loss
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import Stretch, loops_around, training_of

CODE = "GD614"
MAKES_GRADIENTS = (Kind.BACKWARD, Kind.GRADIENTS, Kind.FOREIGN)
# Words of code that makes gradients, or takes steps, in a way of its own.
OTHER_WAYS = re.compile(
    r"backward(?!_sync)|autograd|\.grad\b|closure|deepspeed|tensorflow|jax|mlx|zeroth|torch_xla"
)
LOSS_NAME = re.compile(r"(^|_)loss(es)?$", re.IGNORECASE)
# What such a name makes is a loss and nothing else.
MAKES_LOSS = re.compile(
    r"entropy|loss|criterion|mse|nll|^(mean|sum)$|model|^net|forward|objective", re.IGNORECASE
)
DOES_MORE = re.compile(r"train|step|update|fit|optimi|learn|grad|run", re.IGNORECASE)
# A loss that is given to these is reported, and not trained with.
REPORTS = re.compile(
    r"^(print|append|float|item|detach|cpu|mean|sum|update|isnan|isfinite|isinf|str|format|log|info"
    r"|add_scalar|set_postfix|set_description|write|log_metrics|debug|round|len|numpy|tolist)$"
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    for stretch, step in training_of(visit.project, visit.module).at(node, Kind.STEP):
        if bool(node.args) != bool(step.scaler):
            continue  # a closure, which may run backward
        loss = _unused_loss(stretch, _turn(stretch, step), step)
        if loss is None:
            continue
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(node)}` steps though nothing has run `{loss}.backward()`: there are "
                "no gradients to step by"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _turn(stretch: Stretch, step: Event) -> Stretch:
    """The body of the loop around a step, or the function that is one step.

    A loop over the optimizers themselves, `for o in optimizers: o.step()`, is none.
    """
    loops = loops_around(stretch, step)
    own = (one for one in loops if step.subject not in _targets(one))
    return next(own, stretch)


def _targets(turn: Stretch) -> set[str]:
    """The names that a loop gives to its elements."""
    loop = turn.loop
    return {one.id for one in names_in(loop.target)} if isinstance(loop, ast.For) else set()


def _unused_loss(stretch: Stretch, turn: Stretch, step: Event) -> str | None:
    """The loss that a turn computes and only reports, if no gradients are in sight."""
    frame = stretch.frame
    if not step.sure or step.frame is not frame or stretch.of(*MAKES_GRADIENTS):
        return None
    if OTHER_WAYS.search(_text(frame)) or turn.once:
        return None
    if any(_is_given(one, step.subject) for one in turn.of(Kind.CALL)):
        return None
    around = turn.loop or (None if frame.function is None else frame.function.node)
    for node in () if around is None else own_nodes(around):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            made = _is_named(name, node.value, frame) or is_surely_loss(node.value, frame)
            if made and node.lineno < _line(step) and not _goes_on(name, turn):
                return None if turn.loop is None and _is_returned(name, frame) else name
    return None


def _is_named(name: str, value: ast.expr, frame: Frame) -> bool:
    return LOSS_NAME.search(name) is not None and _is_loss(value, frame)


def _is_returned(loss: str, frame: Frame) -> bool:
    """Whether a function gives its loss to the caller, who may run backward, or keeps it."""
    function = frame.function
    if function is None:
        return True
    given = [
        one
        for value in function.returned
        for one in (value.elts if isinstance(value, ast.Tuple) else [value])
    ]
    assigned = (node for node in own_nodes(function.node) if isinstance(node, ast.Assign))
    given += [one.value for one in assigned if isinstance(one.targets[0], ast.Attribute)]
    return any(isinstance(one, ast.Name) and one.id == loss for one in given)


def _text(frame: Frame) -> str:
    """The code of a function, or of a script's own statements, without comments."""
    if frame.function is not None:
        return text_of(frame.function.node)
    own = (one for one in frame.body if not isinstance(one, ast.FunctionDef | ast.ClassDef))
    return "\n".join(map(text_of, own))


def _is_loss(value: ast.expr, frame: Frame) -> bool:
    """`F.cross_entropy(...)`, `criterion(...)`, `model(...).loss`, a helper in sight."""
    if isinstance(value, ast.Attribute) and LOSS_NAME.search(value.attr):
        return True
    if not isinstance(value, ast.Call):
        return False
    if frame.called(value) is not None:
        return True  # what it does was read with the rest
    name = text_of(value.func).rpartition(".")[2]
    return MAKES_LOSS.search(name) is not None and not DOES_MORE.search(name)


def _goes_on(loss: str, loop: Stretch) -> bool:
    """Whether a call that may run backward is given the loss."""
    return any(
        _is_given(one, loss) and not REPORTS.search(one.subject.rpartition(".")[2])
        for one in loop.of(Kind.CALL)
    )


def _is_given(event: Event, name: str) -> bool:
    if not isinstance(event.node, ast.Call):
        return False
    given = [*event.node.args, *(one.value for one in event.node.keywords)]
    words = {event.frame.text(one) for one in given}
    return name in words or (name.startswith("self.") and "self" in words)


def _line(event: Event) -> int:
    return getattr(event.node, "lineno", 0)


SICK = """\
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for ids, targets in batches:
        optimizer.zero_grad()
        loss = criterion(model(ids).flatten(0, 1), targets.flatten())
        optimizer.step()
        print(loss.item())
"""

DEFECT = Defect(
    code=CODE,
    name="step-without-backward",
    severity=Severity.HIGH,
    summary="A loop computes a loss and steps, and nothing runs the backward pass.",
    explanation=(
        "`optimizer.step()` moves weights by their gradients, and only `loss.backward()` makes "
        "them. Looked at: a loop, or a function for one step, with a loss that is at most printed "
        "or logged, a step of an optimizer of torch's, by a scaler or not, and in the whole "
        "function no `backward`, no `torch.autograd`, no `.grad`. Not meant: a loss that is handed "
        "to code out of sight, or back to the caller of the step; closures; other frameworks."
    ),
    harm="The weights stay as they were initialised, whatever the loss says.",
    confirmed_by=(
        "No probe runs a user's training loop. To see it, compare a weight before and after a "
        "turn of the loop: it is the same."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        optimizer.step()\n", "        loss.backward()\n        optimizer.step()\n"
    ),
    suspects={calls("step"): _suspect},
)
