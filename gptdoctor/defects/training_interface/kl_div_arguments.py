"""GD642: a kl_div is given probabilities where it wants logarithms, or the other way round."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import script_of
from gptdoctor.source.loss_calls import LossCall, losses_at, names_of
from gptdoctor.source.project import Project
from gptdoctor.source.scores import LOGARITHMS, PROBABILITIES, RAW, scores_of

CODE = "GD642"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow or script_of(visit.module)
    for loss in losses_at(node, visit.project, function, visit.parents):
        wrong = _wrong(loss, visit.project) if loss.kind == "kl_div" else None
        if wrong is not None:
            argument, told = wrong
            yield Suspicion(
                rule=CODE,
                location=loss.function.module.location(argument),
                symbol=loss.function.symbol,
                message=f"`{ast.unparse(loss.call.func)}` {told}",
                extent=(
                    min(argument.lineno, loss.call.lineno),
                    max(argument.lineno, loss.call.end_lineno or 0),
                ),
            )


def _wrong(loss: LossCall, project: Project) -> tuple[ast.expr, str] | None:
    """The argument that is of the wrong kind, and what is wrong with it."""
    scores = scores_of(loss.scores, loss.function, project)
    if scores is not None and scores.kind in (*PROBABILITIES, RAW):
        return loss.scores, "wants its first argument as logarithms of probabilities"
    targets, logarithms = scores_of(loss.targets, loss.function, project), _log_target(loss)
    if targets is None or logarithms is None:
        return None
    if targets.kind == RAW:
        return loss.targets, "wants probabilities as its targets, and gets scores"
    if logarithms and targets.kind in PROBABILITIES:
        return loss.targets, "is told that its targets are logarithms, and they are probabilities"
    if not logarithms and targets.kind in LOGARITHMS:
        return loss.targets, "is not told that its targets are logarithms: log_target=True"
    return None


def _log_target(loss: LossCall) -> bool | None:
    """Whether targets are taken for logarithms; None where a run decides."""
    given = loss.setting("log_target")
    if given is None:
        return False
    return bool(given.value) if isinstance(given, ast.Constant) else None


SICK = """\
import torch.nn.functional as F
from torch import nn


class Student(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        return self.lm_head(self.mix(self.wte(input_ids))[0])

    def distill(self, input_ids, teacher_logits):
        mine = F.softmax(self(input_ids), dim=-1)
        theirs = F.softmax(teacher_logits, dim=-1)
        return F.kl_div(mine, theirs, reduction="batchmean")
"""

DEFECT = Defect(
    code=CODE,
    name="kl-div-arguments",
    severity=Severity.HIGH,
    summary="A kl_div is given probabilities where it wants logarithms, or the other way round.",
    explanation=(
        "F.kl_div(input, target) wants input as logarithms of the student's probabilities, and "
        "target as probabilities, or as logarithms with log_target=True. Seen where softmax, "
        "sigmoid or a linear layer makes the first, or where the second does not fit log_target, "
        "in the same function, or in helpers and models in sight."
    ),
    harm=(
        "What comes out is no divergence: it may be negative, is not smallest where both agree, "
        "and drives the student away from its teacher."
    ),
    confirmed_by=(
        "No probe measures it: give both sides the same scores, and see whether the loss is zero "
        "and its gradient too."
    ),
    sick=SICK,
    healed=SICK.replace("mine = F.softmax", "mine = F.log_softmax"),
    suspects={calls(*names_of("kl_div")): _suspect},
)
