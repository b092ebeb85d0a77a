"""GD601: a language model that gives logits and nowhere a loss to train them with."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Conviction, Location, Place, Severity, Status, Suspicion
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.training_interface import TrainingInterface
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.defect import Defect, Visit
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.embeddings import embeds_ids, may_take_ids
from gptdoctor.source.losses import inherits_known_loss, inherits_loss, loss_sign
from gptdoctor.source.project import Project
from gptdoctor.source.vocabulary import gives_logits, may_give_logits

CODE = "GD601"
PROBE = "training-interface"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for info in visit.project.classes(visit.module).values():
        # Asked last: whether it is a main one takes a look at all classes of the file.
        if _lacks_loss(visit.project, info) and info.symbol in visit.models:
            yield _suspicion(info)


def _lacks_loss(project: Project, info: ClassInfo) -> bool:
    """Whether a class is a network that makes logits of ids, and no loss is to be seen."""
    try:
        return (
            _may_be_main(project, info)
            and gives_logits(project, info)
            and loss_sign(project, info) is None
            and embeds_ids(project, info)
        )
    except RecursionError:  # expressions of a thousand terms: the other classes are read on
        return False


def _may_be_main(project: Project, info: ClassInfo) -> bool:
    """Whether a class may be a model of text that has no loss, as far as its head tells."""
    own = "forward" in info.methods  # then its bases need not be looked for
    if own and not may_take_ids(project, info, "forward"):
        return False
    if not project.is_network(info) or inherits_known_loss(project, info):
        return False
    if not may_give_logits(project, info) or inherits_loss(project, info):
        return False
    return own or may_take_ids(project, info, "forward")


def _suspicion(info: ClassInfo) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=_header(info),
        symbol=info.symbol,
        message=(
            f"{info.name} returns logits and offers no loss: every training script has to bring "
            "its own, with its own shift and its own ignored labels"
        ),
        details={"class": info.symbol, "methods": tuple(info.methods)},
        extent=(info.node.lineno, info.node.end_lineno or info.node.lineno),
    )


def _header(info: ClassInfo) -> Location:
    """The line that begins with `class`."""
    whole = info.module.location(info.node)
    line = info.module.lines[whole.line - 1].rstrip()
    return Location(
        path=whole.path,
        line=whole.line,
        column=whole.column,
        end_line=whole.line,
        end_column=len(line) + 1,
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, TrainingInterface):
        return
    target = record.target
    offered = measurement.loss_returned or bool(measurement.loss_methods)
    yield Conviction(
        rule=CODE,
        status=Status.REFUTED if offered else Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=target.path, symbol=target.name, line=target.line),
        message=(
            f"{target.name} offers a loss of its own"
            if offered
            else f"no call of {target.name} gave a loss that reaches its parameters"
        ),
        values={
            "loss_returned": measurement.loss_returned,
            "loss_methods": measurement.loss_methods,
            "label_parameters": measurement.label_parameters,
            "loss_nats": measurement.loss,
            "uniform_loss_nats": measurement.uniform_loss,
        },
        # A loss that the text has and that reaches no parameter is another defect's symptom.
        alone=False,
    )


SICK = """\
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        return self.lm_head(self.wte(input_ids))  # logits, and no loss anywhere
"""

HEALED = """\
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        return self.lm_head(self.wte(input_ids))

    def compute_loss(self, logits, labels):
        # position t is trained on token t + 1
        return F.cross_entropy(
            logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
        )
"""

DEFECT = Defect(
    code=CODE,
    name="no-training-loss",
    severity=Severity.MEDIUM,
    summary="A language model gives logits, and neither a method nor an output of it is a loss.",
    explanation=(
        "Neither the class nor a base or a part of it in the project calls a loss function, takes "
        "labels, or has a method such as compute_loss or training_step. Losses that only keep a "
        "router or a codebook in order do not count. Not meant: backbones that return hidden "
        "states, classes whose bases come from a package that may bring the loss, and models for "
        "which something in the same file has the loss: a class or function annotated with the "
        "model, one that is given the only model of the file, or one that makes it."
    ),
    harm=(
        "A trainer cannot use the model as it is, and each script that supplies a loss can get "
        "the shift between logits and labels, or the ignored labels, wrong by itself."
    ),
    confirmed_by=(
        "The probe training-interface calls the model with labels where it takes some, and its "
        "other methods, and looks for a scalar that reaches the parameters. None confirms, one "
        "refutes."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={ast.Module: _suspect},
    convicts={PROBE: _convict},
    explains=("GD608",),
    fix=FixPromise(
        applicability=Applicability.SAFE,
        title="Add compute_loss with the shifted cross-entropy",
        safety=(
            "Safe where no loss was found by running the model: a method is added and nothing "
            "that exists changes. That the labels are the inputs themselves, shifted by one, is "
            "a guess for models that are not trained on the next token."
        ),
        order=3,
    ),
)
