"""GD623: gradients of several batches are added up and not divided by their number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.accumulation import CUTS, Accumulation, accumulation_at
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.loss_scaling import Unscaled, loss_of_pass
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import Stretch, training_of

CODE = "GD623"
# Their backward passes or optimizers divide by themselves, or may.
FRAMEWORKS = frozenset(
    {
        *("accelerate", "deepspeed", "lightning", "pytorch_lightning", "lightning_fabric"),
        *("horovod", "colossalai", "megatron", "composer", "smdistributed", "ignite", "catalyst"),
    }
)
# What divides gradients on their way: hooks, and factors of sharded models.
ON_THE_WAY = re.compile(r"_hook\(|divide_factor")
# Calls out of sight that may divide what is to be stepped by.
DIVIDING = re.compile(r"scal|averag|normali|div|mul|mean|gradient|grads|reduce|sync", re.IGNORECASE)
HARMLESS = re.compile(r"\.(get_scale|no_sync|synchronize|item|mean|log\w*)$|print$")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    for stretch, backward in training_of(visit.project, visit.module).at(node, Kind.BACKWARD):
        loss = loss_of_pass(backward)
        found = None if loss is None else accumulation_at(stretch, backward)
        if loss is None or found is None or _divided_elsewhere(visit.module, stretch, found):
            continue
        if Unscaled(found.words).loss(loss, backward.frame):
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(node),
                symbol=visit.symbol,
                message=_message(loss, found),
                extent=(node.lineno, node.end_lineno or node.lineno),
            )
            return  # a helper of two loops is told once


def _message(loss: ast.expr, found: Accumulation) -> str:
    number, step = text_of(found.batches), text_of(found.step.node)
    cut = called_name(found.batches) in {*CUTS, "range"}
    batches = f"all parts of `{number}`" if cut else f"`{number}` batches"
    return (
        f"`{step}` follows the sum of the gradients of {batches}: `{text_of(loss)}` is nowhere "
        "divided by their number"
    )


def _divided_elsewhere(module: SourceModule, stretch: Stretch, found: Accumulation) -> bool:
    """Whether something else than the loss's own way may divide: a library, a hook, the rate."""
    names = module.names
    if not FRAMEWORKS.isdisjoint(names.roots) or ON_THE_WAY.search(module.text):
        return True
    if any(_is_rate(module, word) for word in found.words):
        return True
    later = stretch.after(found.backward)
    return any(one.kind is Kind.CALL and _may_divide(one) for one in later)


def _is_rate(module: SourceModule, word: str) -> bool:
    """Whether a line divides a learning rate by the number of batches instead."""
    text = rf"(lr|rate)\b[^\n#]*/[^\n#]*\b{re.escape(word)}\b"
    return re.search(text, module.text, re.IGNORECASE) is not None


def _may_divide(event: Event) -> bool:
    """Whether a call out of sight may divide gradients, by its name."""
    if event.known or HARMLESS.search(event.subject):
        return False
    return DIVIDING.search(event.subject.rpartition(".")[2]) is not None


SICK = """\
import torch
from torch import nn


def train(model, batches, optimizer, accumulation=8):
    optimizer.zero_grad()
    for number, (ids, targets) in enumerate(batches):
        loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
        loss.backward()
        if (number + 1) % accumulation == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
"""

DEFECT = Defect(
    code=CODE,
    name="accumulation-unscaled",
    severity=Severity.MEDIUM,
    summary="The gradients of several batches are added up and never divided by their number.",
    explanation=(
        "A loop runs backward in each turn and steps in every n-th one, or after a loop of its own "
        "over n parts of a batch. `backward` adds, so the step follows the sum of n gradients, "
        "where one batch of n times the size would give their mean: each loss has to be divided by "
        "n. Looked at: a loop with one optimizer, which clears the gradients once a step, and a "
        "loss that is followed back through names and helpers to the call that averages it. Not "
        "meant: a division or a factor anywhere on that way, or of the gradients or the learning "
        "rate; losses that are summed, and divided by counts; several losses in a turn; rewards, "
        "tasks and states; libraries that divide by themselves (accelerate, deepspeed, lightning); "
        "a loss that is computed out of sight."
    ),
    harm=(
        "The gradient is n times as long as the learning rate was chosen for: SGD steps n times "
        "too far. Adam hides that, but not the clip, which now cuts nearly every step, and not "
        "what it does to the balance with weight decay and epsilon; and a change of n to fit the "
        "memory changes the training."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, print the norm of the gradients right "
        "before the step, once with n = 1 and once with n = 8 on the same batch: it grows n times."
    ),
    sick=SICK,
    healed=SICK.replace("loss.backward()", "(loss / accumulation).backward()"),
    suspects={calls("backward"): _suspect},
    confidence=Confidence.MEDIUM,
)
