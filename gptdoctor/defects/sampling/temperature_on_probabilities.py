"""GD404: the temperature divides probabilities instead of logits."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Conviction, Severity, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import SampledMethod
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.draws import DRAWING, draw_at
from gptdoctor.source.generation_tests import TEMPERATURE_MEASURES, follows_temperature
from gptdoctor.source.temperature_draws import ALIKE, FOLLOWS, PROBE, read_draws
from gptdoctor.source.temperature_scalings import scalings_of

CODE = "GD404"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    flow = visit.flow
    draw = draw_at(node, flow)
    if draw is None or flow is None:
        return
    for scaled in scalings_of(draw, visit.project, flow):
        if scaled.probabilities:
            near = scaled.function == flow
            last = draw.call.end_lineno if near else getattr(scaled.node, "end_lineno", None)
            yield Suspicion(
                rule=CODE,
                location=scaled.function.module.location(scaled.node),
                symbol=scaled.function.symbol,
                message=(
                    f"`{ast.unparse(scaled.node)}` scales what has been through softmax: "
                    f"`{scaled.temperature}` belongs before it"
                ),
                details={"parameter": scaled.temperature},
                extent=(scaled.line, max(scaled.line, last or 0)),
            )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    yield from read_draws(
        measurement,
        CODE,
        is_wrong=_scales_probabilities,
        place=lambda method: method.scaling_place,
        told="applies {parameter} to probabilities",
        values=_values,
    )


def _scales_probabilities(method: SampledMethod) -> bool:
    if all(draw.from_scaled_probabilities <= FOLLOWS for draw in method.draws):
        return True
    moved = method.moved_by_temperature
    if moved is None or method.greedy or not method.scales_probabilities:
        return False
    # Rows that are drawn from as they are stay the same; what asks for their sums, as a nucleus
    # does, cuts them at a share that nobody asked for.
    return moved <= ALIKE or method.scaling == "divide"


def _values(method: SampledMethod) -> dict[str, Value]:
    return {
        "distances_from_scaled_probabilities": tuple(
            draw.from_scaled_probabilities for draw in method.draws
        ),
        **values_of(method.written),
    }


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, max_new_tokens, temperature=1.0):
        for _ in range(max_new_tokens):
            logits = self(ids)[:, -1]
            probs = torch.softmax(logits.softmax(dim=-1) / temperature, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("logits.softmax(dim=-1) / temperature", "logits / temperature")

DEFECT = Defect(
    code=CODE,
    name="temperature-on-probabilities",
    severity=Severity.MEDIUM,
    summary=(
        "The temperature scales probabilities, where it has no effect or makes them nearly even."
    ),
    explanation=(
        "Softmax comes first and the temperature after it. Probabilities that are divided by a "
        "temperature and drawn from are the same probabilities; a second softmax over them makes "
        "all tokens nearly as likely as each other; and a nucleus that is cut out of them ends "
        "where their sums, which are no longer one, tell it to. Not meant: p ** (1 / "
        "temperature), which is right."
    ),
    harm=(
        "Either the temperature does nothing, or every text is noise whatever the model has "
        "learned."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw from known logits at temperatures from 0.25 to "
        "4, and watches what the temperature meets. Draws that follow softmax(softmax(logits) / "
        "temperature), or that are alike while the temperature meets rows that sum to one, "
        "or that follow something else while it divides such rows, confirm; draws that follow "
        "softmax(logits / temperature) refute."
    ),
    # A second softmax over probabilities makes all tokens about as likely: what should end a text,
    # or lie in the nucleus, is drawn as seldom as any other.
    explains=("GD406", "GD407", "GD412", "GD413"),
    sick=SICK,
    healed=HEALED,
    suspects={calls(*DRAWING): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(measures=TEMPERATURE_MEASURES, test=follows_temperature),
)
