"""GD618: a loop evaluates its model between steps and goes on training it in that mode."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.training_events import MOST_CALLS, Event, Kind, bodies
from gptdoctor.source.training_loops import Stretch, loops_around, training_of

CODE = "GD618"
SETS_MODE = re.compile(r"train|mode|apply|freeze", re.IGNORECASE)
LEAVES = ast.Return | ast.Break | ast.Raise


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    for stretch, switch in training_of(visit.project, visit.module).at(node, Kind.EVAL):
        loop = _trained_around(stretch, switch)
        if loop is None or not _stays(loop, switch):
            continue
        model = text_of(node.func).rpartition(".")[0]
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"after `{text_of(node)}` the loop goes on training `{switch.subject}`, and no "
                f"`{model}.train()` follows: dropout and batch norm stay off"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _trained_around(stretch: Stretch, switch: Event) -> Stretch | None:
    """The innermost loop around the switch that trains the same model."""
    for loop in loops_around(stretch, switch):
        if loop.of(Kind.BACKWARD) and loop.of(Kind.STEP):
            return loop if _trains(loop, switch) else None
    return None


def _trains(loop: Stretch, switch: Event) -> bool:
    """Whether the loop runs backward through the model: it calls it right before."""
    for backward in loop.of(Kind.BACKWARD):
        if backward.path == switch.path and switch in loop.before(backward):
            return False  # set each time right before the pass, and so on purpose
        before = [one for one in loop.before(backward) if one.frame is backward.frame]
        if any(_runs(one, switch.subject) for one in before):
            return True
    return False


def _runs(event: Event, model: str) -> bool:
    """Whether a call runs the model, by itself or in the helper that it calls."""
    call = event.node
    if event.kind is not Kind.CALL or not isinstance(call, ast.Call):
        return False
    return _calls(call, event.frame, (model, f"{model}.forward"))


def _calls(call: ast.Call, frame: Frame, names: tuple[str, ...]) -> bool:
    if frame.text(call.func) in names:
        return True
    callee = frame.called(call) if frame.depth < MOST_CALLS else None
    if callee is None or frame.runs(callee.node):
        return False
    inner = frame.enter(callee, call)
    return any(_calls(one, inner, names) for one in calls_below(callee.node))


def _stays(loop: Stretch, switch: Event) -> bool:
    """Whether nothing in the loop sets the mode back, and the loop goes on."""
    if loop.of(Kind.TRAIN) or loop.once:
        return False
    if any(_may_set_back(one, switch.subject) for one in loop.of(Kind.CALL)):
        return False
    inner = switch.path[len(loop.around) :]
    return not any(_leaves(node, body) for node, body in inner)


def _may_set_back(event: Event, model: str) -> bool:
    """Whether code out of sight is given the model and told to set a mode."""
    name = event.subject.rpartition(".")[2]
    if not isinstance(event.node, ast.Call) or not SETS_MODE.search(name):
        return False
    given = [*event.node.args, *(one.value for one in event.node.keywords)]
    return model in {event.frame.text(one) for one in given}


def _leaves(node: ast.stmt, body: int) -> bool:
    """Whether a branch ends the loop or the function."""
    return any(number == body and isinstance(inner[-1], LEAVES) for number, inner in bodies(node))


SICK = """\
import torch
from torch import nn


def train(model, batches, held_out):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    model.train()
    for epoch in range(10):
        for ids, targets in batches:
            optimizer.zero_grad()
            loss = criterion(model(ids).flatten(0, 1), targets.flatten())
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            print(sum(criterion(model(ids).mT, targets).item() for ids, targets in held_out))
"""

DEFECT = Defect(
    code=CODE,
    name="eval-never-undone",
    severity=Severity.MEDIUM,
    summary="A training loop sets its model to evaluation and goes on training it in that mode.",
    explanation=(
        "`model.eval()` switches dropout off and makes batch norm use its running averages, until "
        "`model.train()` is called. Looked at: a loop that trains a model and, itself or in a "
        "function of the project that it calls, sets the same model to evaluation, while nothing "
        "in the loop sets it back. Not meant: a teacher or a running average of the weights; a "
        "part that is kept in evaluation on purpose; evaluation right before the loop is left; "
        "functions that remember the mode and restore it."
    ),
    harm=(
        "From the first evaluation on the model trains without dropout, and batch norm no longer "
        "follows the data: it overfits, and its loss on the training data looks better than it is."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, assert `model.training` at the top of "
        "the loop: it fails at the second turn."
    ),
    sick=SICK,
    healed=SICK.replace(
        "    model.train()\n    for epoch in range(10):\n",
        "    for epoch in range(10):\n        model.train()\n",
    ),
    suspects={calls("eval", "train"): _suspect},
)
