"""GD403: logits are multiplied by the temperature instead of divided."""

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
from gptdoctor.source.flow_functions import functions_of
from gptdoctor.source.generation_tests import TEMPERATURE_MEASURES, follows_temperature
from gptdoctor.source.scaled_by_arguments import multiplied_by_arguments, takes_temperature
from gptdoctor.source.temperature_draws import FOLLOWS, PROBE, read_draws
from gptdoctor.source.temperature_scalings import Scaled, scalings_of

CODE = "GD403"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    flow = visit.flow
    draw = draw_at(node, flow)
    if draw is None or flow is None:
        return
    for scaled in scalings_of(draw, visit.project, flow):
        if not scaled.probabilities and not scaled.divides:
            near = scaled.function == flow
            last = draw.call.end_lineno if near else getattr(scaled.node, "end_lineno", None)
            yield _suspicion(scaled, max(scaled.line, last or 0))


def _suspect_helper(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A function that scales logits by its parameter, whoever draws from them."""
    if not isinstance(node, ast.FunctionDef) or not takes_temperature(node):
        return
    function = functions_of(visit.project, visit.module).get(node)
    for scaled in multiplied_by_arguments(function) if function else ():
        yield _suspicion(scaled, node.end_lineno or scaled.line)


def _suspicion(scaled: Scaled, last: int) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=scaled.function.module.location(scaled.node),
        symbol=scaled.function.symbol,
        message=(
            f"`{ast.unparse(scaled.node)}` makes the draws sharper the higher "
            f"`{scaled.temperature}` is: a temperature divides logits"
        ),
        details={"parameter": scaled.temperature},
        extent=(scaled.line, last),
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    yield from read_draws(
        measurement,
        CODE,
        is_wrong=_is_inverted,
        place=lambda method: method.scaling_place,
        told="draws sharper the higher {parameter} is",
        values=_values,
    )


def _is_inverted(method: SampledMethod) -> bool:
    inverted = all(draw.from_inverted <= FOLLOWS for draw in method.draws)
    return inverted and not _is_inverse(method.parameter)


def _is_inverse(name: str) -> bool:
    """Whether a parameter says that it is the reciprocal of a temperature."""
    return "inv" in name.lower() or "beta" in name.lower()


def _values(method: SampledMethod) -> dict[str, Value]:
    return {
        "distances_from_inverted": tuple(draw.from_inverted for draw in method.draws),
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
            probs = torch.softmax(logits * temperature, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("logits * temperature", "logits / temperature")

DEFECT = Defect(
    code=CODE,
    name="temperature-inverted",
    severity=Severity.HIGH,
    summary="A higher temperature makes the draws sharper, a lower one more even.",
    explanation=(
        "The logits are multiplied by the temperature, or divided by its reciprocal, or their "
        "probabilities are raised to its power, so that the tokens follow softmax(logits * "
        "temperature). A function that scales logits by a number it is given under that name is "
        "looked at, too, whoever draws from them. Not meant: a parameter that is called an "
        "inverse temperature, or beta, and a learnt scale."
    ),
    harm=(
        "The parameter does the opposite of what every other library means by it: careful "
        "settings give noise, and creative ones repeat."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw from known logits at temperatures from 0.25 to "
        "4. Draws that follow softmax(logits * temperature) at all of them confirm; those that "
        "follow softmax(logits / temperature) refute."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={calls(*DRAWING): _suspect, ast.FunctionDef: _suspect_helper},
    words=("temp", "tau"),
    convicts={PROBE: _convict},
    proof=Proof(measures=TEMPERATURE_MEASURES, test=follows_temperature),
)
