"""GD602: a loss that asks for labels and does not look at them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import (
    Conviction,
    Place,
    Severity,
    Status,
    Suspicion,
    Value,
)
from gptdoctor.core.measurements.labels import Labels, LossReading
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.label_reads import losses_in, takes_labels, unread_labels
from gptdoctor.source.loss_calls import LossCall, says_loss
from gptdoctor.source.loss_tests import MEASURES, given, loss_of, pulls
from gptdoctor.source.losses import is_loss_name
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.shared_heads import is_shared
from gptdoctor.source.value_ways import operation, shaped_from, ways_of

CODE = "GD602"
PROBE = "labels"
_TAUGHT = ("labels", "inputs")
ENTRIES = ("forward", "compute_loss")
_NUMBERS = frozenset({"arange", "eye", "range", "randperm"})
_INSTEAD = {
    "inputs": ": it is made of the inputs instead",
    "guesses": ": it compares the logits with their own likeliest tokens",
}


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.FunctionDef) or not takes_labels(node):
        return
    # Here, and not as words of the rule: few functions take labels, and other rules ask it, too.
    if not says_loss(visit.module):
        return
    function = functions_of(visit.project, visit.module)[node]
    names = unread_labels(function)
    losses = list(losses_in(function)) if names else []
    if not losses or any(map(_tells_apart, losses)):
        return
    loss = losses[0]
    if _is_demanded(function, names[0], losses, visit.project):
        return
    if _is_of_network(function, visit.project) or all(map(_is_of_given, losses)):
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(loss.call),
            symbol=function.symbol,
            message=(
                f"`{function.symbol}` takes `{names[0]}`, and its loss is made of "
                f"`{ast.unparse(loss.targets)}` whatever they are"
            ),
            extent=(loss.call.lineno, loss.call.end_lineno or loss.call.lineno),
        )


def _is_of_network(function: Function, project: Project) -> bool:
    """Whether the labels of a function are those of a model's own loss."""
    if function.name not in ENTRIES or not function.method or function.owner is None:
        return False
    return project.is_network(function.owner)


def _is_demanded(function: Function, name: str, losses: list[LossCall], project: Project) -> bool:
    """Whether a loss takes labels only because all losses that its caller may use do.

    Its targets are made of what else it is given: the text itself, of which noise was made.
    """
    owner, arguments = function.owner, function.node.args
    required = [one.arg for one in arguments.args[: len(arguments.args) - len(arguments.defaults)]]
    if owner is None or not is_loss_name(owner.name) or name not in required:
        return False
    return not any(map(_is_of_guess, losses)) and is_shared(function, project)


def _is_of_guess(loss: LossCall) -> bool:
    return any(
        _is_no_label(one.source, loss) for one in ways_of(loss.targets, loss.function, shaped_from)
    )


def _tells_apart(loss: LossCall) -> bool:
    """Whether a loss tells the rows of a batch from one another, which takes no labels."""
    ways = ways_of(loss.targets, loss.function, shaped_from)
    sources = [one.source for one in ways if one.source is not None]
    # `torch.arange(n) * width + first`: numbers of rows, whatever is reckoned with them.
    return any(called_name(node) in _NUMBERS for one in sources for node in every_node(one))


def _is_of_given(loss: LossCall) -> bool:
    """Whether a loss is surely made of other arguments, of guesses, or of numbers of a form."""
    ways = ways_of(loss.targets, loss.function, shaped_from)
    return bool(ways) and all(one.argument or _is_no_label(one.source, loss) for one in ways)


def _is_no_label(source: ast.expr | None, loss: LossCall) -> bool:
    made = None if source is None else operation(source, loss.function)
    return made is not None and (made[0] == "argmax" or made[0].endswith("_like"))


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Labels):
        return
    taught = any(each.hears and each.targets in _TAUGHT for each in measurement.readings)
    for reading in measurement.readings:
        if not reading.hears:
            continue
        if reading.moved_by_labels is not None:
            # Other labels give the very same number: no rounding is that even, and a loss that
            # hardly moves still pulls each position to its label.
            ignored = reading.moved_by_labels == 0.0 and reading.targets != "labels"
            yield _conviction(reading, record, Status.CONFIRMED if ignored else Status.REFUTED)
        elif reading.targets == "guesses" and not taught:
            # Beside a loss that teaches, one of this kind sharpens.
            yield _conviction(reading, record, Status.CONFIRMED)


def _conviction(reading: LossReading, record: ModelRecord, status: Status) -> Conviction:
    target = record.target
    instead = _INSTEAD.get(reading.targets, "")
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=reading.cross_entropy or Place(path=target.path, symbol=target.name),
        message=(
            f"The loss of {target.name} is the same whatever labels it is given{instead}"
            if status is Status.CONFIRMED
            else f"the loss of {target.name} follows its labels"
        ),
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "loss_nats": reading.loss,
            "moved_by_labels": reading.moved_by_labels,
            "targets": reading.targets,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Two sets of labels for the same ids; or the guesses that positions are pulled to."""
    value, statements = loss_of(values), pulls(values)
    if values.get("targets") == "guesses" and values.get("moved_by_labels") is None and statements:
        return (
            f"{statements}"
            "if pulled is not None:\n"
            "    trained = pulled.tokens >= 0\n"
            "    same = (pulled.tokens == pulled.guesses)[trained].all()\n"
            '    assert not same, "each position is trained on what it guesses already"\n'
        )
    if values.get("moved_by_labels") is None or "labels" not in value:
        return ""
    return (
        f"{given(value)}"
        f"one = {value}\n"
        "model, labels = build(), random_ids(seed=2)\n"
        f"other = {value}\n"
        'assert one != other, f"two sets of labels give the same loss, {one:.4f}"\n'
    )


SICK = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, labels=None):
        logits = self.lm_head(self.mix(self.wte(input_ids))[0])
        if labels is None:
            return logits, None
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), input_ids[:, 1:].flatten())
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="labels-ignored",
    severity=Severity.CRITICAL,
    summary="The loss is the same whatever the labels are.",
    explanation=(
        "The loss is computed of the inputs, of an auxiliary term alone, or of logits and nothing "
        "else, such as their own argmax. Labels that mark prompts or padding as no targets have no "
        "effect either. In text: a function that takes labels, looks at no value of them, and "
        "computes a loss. Not meant: a method that takes a whole batch and makes its labels of the "
        "ids in it, a term that sharpens what another loss teaches, a loss that tells the rows of "
        "a batch from one another, and one that takes labels as all losses beside it do."
    ),
    harm=(
        "The model is trained on another task than the one that it is given, and the loss shows "
        "nothing of it: prompts and padding are learned, and what a data set calls the answer is "
        "not."
    ),
    confirmed_by=(
        "The probe labels runs each loss twice, with two sets of labels and all else equal. The "
        "same number to the last digit confirms; another one refutes. Of a loss that takes no "
        "labels it reads where the gradient pulls the logits: each to the token that is the "
        "likeliest already, where no loss of the model pulls otherwise, confirms."
    ),
    sick=SICK,
    healed=SICK.replace("input_ids[:, 1:]", "labels[:, 1:]"),
    suspects={ast.FunctionDef: _suspect},
    convicts={PROBE: _convict},
    explains=("GD903",),
    proof=Proof(measures=MEASURES, test=_test),
)
