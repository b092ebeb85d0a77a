"""GD604: a cross-entropy is given probabilities, of which it takes the softmax again."""

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
from gptdoctor.defect import Defect, NamedIn, Proof, Visit
from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.loss_tests import given, loss_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

CODE = "GD604"
PROBE = "labels"
_SOFTMAX = frozenset({"torch.softmax", "torch.nn.functional.softmax", "torch.special.softmax"})
_LOSSES = frozenset({"torch.nn.functional.cross_entropy", "torch.nn.functional.nll_loss"})
_LOSS_MODULES = frozenset({"torch.nn.CrossEntropyLoss", "torch.nn.NLLLoss"})
# What hands scores on as they are, in another shape or type.
_SHAPING = frozenset(
    {"view", "reshape", "flatten", "transpose", "permute", "contiguous", "float", "mT", "to"}
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call) or not node.args or visit.function is None:
        return
    if not _takes_scores(node, visit):
        return
    made = _behind(node.args[0], visit.function, node.lineno)
    if made is None or not _is_softmax(made, visit):
        return
    yield Suspicion(
        rule=CODE,
        location=visit.module.location(made),
        symbol=visit.symbol,
        message=(
            f"`{ast.unparse(made)}` gives probabilities, and `{ast.unparse(node.func)}` wants "
            "logits, or logarithms: the loss hardly moves"
        ),
        details={"softmax": ast.unparse(made)},
        extent=(made.lineno, node.end_lineno or node.lineno),
    )


def _losses_of(project: Project, module: SourceModule) -> frozenset[str]:
    """What a module calls the losses, as functions and as modules that its classes keep."""
    aliases = module.names.aliases.items()
    found = {name for name, qualified in aliases if qualified in _LOSSES}
    found |= {name.rpartition(".")[2] for name in _LOSSES}
    if any(name.rpartition(".")[2] in module.text for name in _LOSS_MODULES):
        for info in project.classes(module).values():
            found.update(
                name
                for name in info.attributes
                if any(called in _LOSS_MODULES for called in info.attribute_called(name))
            )
    return frozenset(found)


def _takes_scores(call: ast.Call, visit: Visit) -> bool:
    """Whether a call is one of the losses, as a function or as a module that the class keeps."""
    if visit.module.names.called(call) in _LOSSES:
        return True
    name = self_attribute(call.func)
    owner = visit.owner
    if name is None or owner is None:
        return False
    return any(called in _LOSS_MODULES for called in owner.attribute_called(name))


def _behind(value: ast.expr, function: FunctionNode, line: int) -> ast.Call | None:
    """The call that made `value`, through what only shapes it and through one assignment."""
    while True:
        shaped = value.func if isinstance(value, ast.Call) else value
        if isinstance(shaped, ast.Attribute) and shaped.attr in _SHAPING:
            value = shaped.value
        elif isinstance(value, ast.Subscript):
            value = value.value
        else:
            break
    if isinstance(value, ast.Name):
        values = list(_assigned(value.id, function))
        # Only where one assignment is all there is, and stands before the loss.
        single = len(values) == 1 and values[0].lineno <= line
        return _behind(values[0], function, line) if single and values[0] is not value else None
    return value if isinstance(value, ast.Call) else None


def _assigned(name: str, function: FunctionNode) -> Iterator[ast.expr]:
    """What is assigned to a local name, anywhere in the function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            targets = [inner for target in node.targets for inner in ast.walk(target)]
            if any(isinstance(one, ast.Name) and one.id == name for one in targets):
                yield node.value
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.NamedExpr):
            target = node.target
            if isinstance(target, ast.Name) and target.id == name:
                yield target


def _is_softmax(call: ast.Call, visit: Visit) -> bool:
    """Whether a call gives probabilities, from torch or as a method of a tensor."""
    if visit.module.names.called(call) in _SOFTMAX:
        return True
    return isinstance(call.func, ast.Attribute) and call.func.attr == "softmax"


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Labels):
        return
    for reading in measurement.readings:
        if reading.probabilities is None or reading.cross_entropy is None:
            continue
        status = Status.CONFIRMED if reading.probabilities else Status.REFUTED
        yield _conviction(reading, record, status, reading.softmax or reading.cross_entropy)


def _conviction(
    reading: LossReading, record: ModelRecord, status: Status, place: Place
) -> Conviction:
    given = "probabilities" if reading.probabilities else "logits"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=f"The cross-entropy of {record.target.name} is given {given}",
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "loss_nats": reading.loss,
            "probabilities": reading.probabilities,
            "line": None if reading.cross_entropy is None else reading.cross_entropy.line,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """What the losses are given while the model makes its own."""
    value = loss_of(values)
    return value and (
        "from unittest import mock\n"
        "seen = []\n"
        "\n"
        "def watched(name):\n"
        "    real = getattr(torch.nn.functional, name)\n"
        "\n"
        "    def call(scores, *args, **kwargs):\n"
        "        seen.append(are_probabilities(scores, 1 if scores.dim() > 1 else 0))\n"
        "        return real(scores, *args, **kwargs)\n"
        "\n"
        "    return mock.patch.object(torch.nn.functional, name, call)\n"
        "\n"
        f"{given(value)}"
        'with watched("cross_entropy"), watched("nll_loss"):\n'
        f"    {value}\n"
        'assert not any(seen), "the loss is given probabilities"\n'
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
        probs = logits.softmax(dim=-1)
        loss = F.cross_entropy(probs[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="softmax-before-cross-entropy",
    severity=Severity.HIGH,
    summary="A cross-entropy is given probabilities in place of logits.",
    explanation=(
        "torch's cross_entropy takes the softmax itself. Given probabilities it takes it of "
        "numbers between 0 and 1, so that even a perfect answer keeps a loss near ln V. nll_loss "
        "wants the logarithms of probabilities, and given them plain it has no logarithm at all. "
        "Not meant: log_softmax before cross_entropy, which changes nothing."
    ),
    harm=(
        "Gradients are smaller by orders of magnitude, the loss stays near ln V, and the model "
        "learns slowly or not at all."
    ),
    confirmed_by=(
        "The probe labels looks at what each cross-entropy over the vocabulary is given. Rows "
        "that are nowhere negative and sum to one confirm; anything else refutes."
    ),
    sick=SICK,
    healed=SICK.replace("        probs = logits.softmax(dim=-1)\n", "").replace("probs", "logits"),
    suspects={NamedIn(ast.Call, _losses_of): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(
        measures=("probes.instruments.loss_watch:are_probabilities", "specimen.outputs:loss_in"),
        test=_test,
    ),
)
