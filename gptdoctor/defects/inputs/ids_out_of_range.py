"""GD703: an id that is no token is read as another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import (
    Conviction,
    Severity,
    Status,
    Value,
)
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.odd_inputs import OddInputs, StrangeId
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD703"
PROBE = "odd-inputs"


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, OddInputs):
        return
    told = set()
    for strange in measurement.strange:
        if strange.read_as is None:
            if strange.crash is not None:
                yield _conviction(strange, record, Status.REFUTED)
        elif strange.place not in told:  # one line that tames both ends is one finding
            told.add(strange.place)
            yield _conviction(strange, record, Status.CONFIRMED)


def _conviction(strange: StrangeId, record: ModelRecord, status: Status) -> Conviction:
    target = record.target
    entry = target.entry_place
    how = "indexing counts from the end" if strange.operation == "indexing" else strange.operation
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=strange.place or entry,
        message=(
            f"Id {strange.token} of a vocabulary of {strange.vocabulary} is silently read as "
            f"token {strange.read_as} ({how})"
            if status is Status.CONFIRMED
            else f"id {strange.token} is refused"
        ),
        values={
            "id": strange.token,
            "vocabulary": strange.vocabulary,
            "read_as": strange.read_as,
            "operation": strange.operation or None,
            "error": None if strange.crash is None else strange.crash.kind,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The call with one id that is no token: it is to be refused."""
    return (
        "ids = random_ids()\n"
        f"ids[0, T // 2] = {values['id']}\n"
        "try:\n"
        "    run(build().eval(), ids)\n"
        "except (IndexError, RuntimeError, ValueError):\n"
        "    return  # refused, as it should be\n"
        f'raise AssertionError("id {values["id"]} is silently read as {values["read_as"]}")\n'
    )


SICK = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.vocab_size = vocab_size
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        input_ids = input_ids.clamp(0, self.vocab_size - 1)
        return self.lm_head(self.mix(self.wte(input_ids))[0])

    def compute_loss(self, logits, targets):
        return F.cross_entropy(logits.mT, targets)
"""

DEFECT = Defect(
    code=CODE,
    name="ids-out-of-range",
    severity=Severity.MEDIUM,
    summary="An id outside the vocabulary is silently read as another token.",
    explanation=(
        "Ids are clamped or taken modulo the vocabulary, or index a plain tensor, which counts "
        "negative ones from its end. Not meant: an embedding that refuses such an id, ids that "
        "are all hashed, and a choice by a condition, such as a token for what is unknown or a "
        "mask for what is negative."
    ),
    harm=(
        "A tokenizer with more tokens than the model, or a mark such as -100 in the inputs, "
        "trains the model on wrong texts, and nothing shows it."
    ),
    confirmed_by=(
        "The probe odd-inputs puts the first id behind the vocabulary, then -1, into the call "
        "that works, and watches what becomes of it. Logits equal to those of the token that an "
        "operation put in its place confirm; an error refutes."
    ),
    sick=SICK,
    healed=SICK.replace("        input_ids = input_ids.clamp(0, self.vocab_size - 1)\n", ""),
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)
