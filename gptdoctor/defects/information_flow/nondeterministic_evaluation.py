"""GD808: two equal calls in evaluation differ."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.information import SEEDS, place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.repeated_calls import RepeatedCalls
from gptdoctor.defect import Defect, NamedIn, Proof, Visit, calls
from gptdoctor.source.attention_names import ATTENTION, attention_names
from gptdoctor.source.dropout_text import DROPOUTS, MODULES, always_drops
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.noise_text import CHOICES, NOISES, always_added, always_left_out

CODE = "GD808"
PROBE = "repeated-calls"


def see_dropout(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A dropout in a network's method that nothing switches off in evaluation."""
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    rate = always_drops(visit.project, function, node, visit.parents)
    if rate is not None:
        told = (
            f"`{text_of(node.func)}` drops in evaluation too (p is {rate}): nothing tells it "
            "whether the model is in training"
        )
        yield suspicion(CODE, node, function, told)


def see_noise(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """Noise that is added in every mode."""
    if not isinstance(node, ast.Call) or visit.flow is None:
        return
    if always_left_out(visit.project, visit.flow, node):
        told = f"`{text_of(node)}` leaves something out by chance in evaluation too"
        yield suspicion(CODE, node, visit.flow, told)
    elif always_added(visit.project, visit.flow, node):
        told = (
            f"`{text_of(node)}` is drawn and added in evaluation too: nothing asks whether the "
            "model is in training"
        )
        yield suspicion(CODE, node, visit.flow, told)


def read_calls(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict chance in evaluation that is there with all seeds; refute where there is none."""
    if not isinstance(measurement, RepeatedCalls):
        return
    change = max(measurement.with_equal_numbers, measurement.with_other_numbers)
    operation = measurement.chance.operation if measurement.chance else ""
    if change <= measurement.least_change:
        status, place = Status.REFUTED, None
        message = "Two equal calls in evaluation give the same."
    elif measurement.seeds_changing == SEEDS:
        status, place = Status.CONFIRMED, place_of(measurement.chance, record.target)
        what = f": {operation} draws random numbers" if operation else ""
        message = f"Two equal calls in evaluation differ{what}."
    else:
        return
    yield Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=message,
        values={
            "with_other_numbers": measurement.with_other_numbers,
            "with_equal_numbers": measurement.with_equal_numbers,
            "operation": operation,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Two calls with other random numbers, or with the same ones."""
    other = values.get("with_other_numbers")
    seed = 1 if isinstance(other, float) and other > 1e-5 else 0
    return f"""\
model = with_dropout(build(), 0.1).eval()  # built without, it would hide what drops
with torch.no_grad():
    first, again = logits(model, random_ids()), logits(model, random_ids(), seed={seed})
change = relative_change(first, again)
assert change <= 1e-5, f"two calls in evaluation differ by {{change:.2g}} of the largest logit"
"""


SICK = """\
from torch import nn
from torch.nn import functional as F


class MoodyReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.memory(self.embedding(ids))[0]
        logits = self.head(F.dropout(x, 0.1))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="nondeterministic-evaluation",
    severity=Severity.MEDIUM,
    summary="The outputs in evaluation depend on chance.",
    explanation=(
        "`F.dropout(x, p)` drops in evaluation too, unless it is given `training=self.training`, "
        "and so does a dropout that is made anew in each call, for a new module is in training; "
        "so does noise that a router or an embedding draws without asking for the mode. Sampling "
        "of tokens is not meant: it is asked for by another method."
    ),
    harm=(
        "Validation losses and generated texts cannot be repeated, and they are worse than they "
        "need be."
    ),
    confirmed_by=(
        "The probe repeated-calls runs equal calls in evaluation on fresh copies, with equal and "
        "with other random numbers. A difference above 1e-5 of the largest output with three "
        "seeds confirms it; two recorded runs show the operation. No difference refutes it."
    ),
    sick=SICK,
    healed=SICK.replace("x, 0.1)", "x, 0.1, self.training)"),
    suspects={
        calls(*DROPOUTS, *(one.rpartition(".")[2] for one in MODULES), ATTENTION): see_dropout,
        calls(*sorted({*NOISES, *CHOICES})): see_noise,
        NamedIn(ast.Call, attention_names): see_dropout,
    },
    convicts={PROBE: read_calls},
    explains=("GD903",),  # a layer that is drawn anew in each pass learns nothing
    proof=Proof(
        measures=(
            "probes.instruments.steady:relative_change",
            "probes.repeated_calls:with_dropout",
        ),
        test=_test,
    ),
)
