"""GD702: an input that may be left out, says its default, and may not, says the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.odd_inputs import MissingInput, OddInputs
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD702"
PROBE = "odd-inputs"
# Errors of a name that only an `if x is not None` would have bound.
UNBOUND = frozenset({"UnboundLocalError", "NameError"})


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if isinstance(measurement, OddInputs):
        for missing in measurement.missing:
            crash = missing.crash
            if crash is None or crash.raised_there:
                yield _conviction(missing, record, Status.REFUTED)
            elif crash.path is not None and _is_unclear(crash.kind, crash.message):
                yield _conviction(missing, record, Status.CONFIRMED)


def _is_unclear(kind: str, message: str) -> bool:
    """Whether an error speaks of None, or of a name, where an input is missing."""
    return "NoneType" in message or kind in UNBOUND


def _conviction(missing: MissingInput, record: ModelRecord, status: Status) -> Conviction:
    target, crash = record.target, missing.crash
    place = target.entry_place
    if status is Status.CONFIRMED and crash is not None and crash.path is not None:
        place = Place(path=crash.path, symbol=crash.symbol, line=crash.line)
    error = None if crash is None else f"{crash.kind}: {crash.message}"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=(
            f"`{missing.name}` may be left out by its default, and without it {target.name} "
            f"fails here: {error}"
            if status is Status.CONFIRMED
            else f"without {missing.name} {target.name} runs, or says what it lacks"
        ),
        values={"input": missing.name, "error": error, "call": missing.call},
    )


def _test(values: Mapping[str, Value]) -> str:
    """The call without the input: it runs, or says what it lacks."""
    call = str(values.get("call") or "")
    if not call:
        return ""
    labels = "labels = ids\n" if re.search(r"\blabels\b", call) else ""
    return (
        "model, ids = build().eval(), random_ids()\n"
        f"{labels}"
        "try:\n"
        f"    {call}\n"
        "except ValueError:\n"
        "    return  # refused in words, as it may be\n"
        "except (AttributeError, NameError, TypeError) as error:\n"
        f'    raise AssertionError(f"without {values.get("input")}: {{error}}") from error\n'
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

    def forward(self, input_ids, attention_mask=None):
        x = self.wte(input_ids) * attention_mask.unsqueeze(-1)
        return self.lm_head(self.mix(x)[0])

    def compute_loss(self, logits, targets):
        return F.cross_entropy(logits.mT, targets)
"""

DEFECT = Defect(
    code=CODE,
    name="optional-input-missing",
    severity=Severity.LOW,
    summary="An input whose default is None is used without a look at whether it was given.",
    explanation=(
        "The signature says that the input may be left out, and the code takes it for given: "
        "whoever leaves it out gets an error about None, or about a local name. Not meant: a "
        "check that says which input is missing."
    ),
    harm="Callers who believe the signature get an error that names no input.",
    confirmed_by=(
        "The probe odd-inputs makes the call that works without each of its inputs whose default "
        "is None, one at a time. An error about None or an unbound name confirms; a result, or "
        "an error that the code raises itself, refutes."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        x = self.wte(input_ids) * attention_mask.unsqueeze(-1)\n",
        "        x = self.wte(input_ids)\n"
        "        if attention_mask is not None:\n"
        "            x = x * attention_mask.unsqueeze(-1)\n",
    ),
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)
