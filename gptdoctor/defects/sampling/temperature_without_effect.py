"""GD402: tokens are drawn at random, and the temperature changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import SampledMethod, Sampling
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.generation_tests import TEMPERATURE_MEASURES, follows_temperature

CODE = "GD402"
PROBE = "sampling"
# Right samplers of every kind lie between 0.03 and 0.13 from the distribution that they follow.
FOLLOWS = 0.2
# Of 512 draws and more the histogram has settled: two of the same distribution differ by a
# quarter at most.
ENOUGH_ROWS = 256
# Histograms of a right sampler at T = 0.25 and T = 4 are 0.7 apart, of the same one 0.25 at most.
ALIKE = 0.33
# Of a vocabulary that is drawn as a whole 0.65 is expected.  Where a filter leaves so few tokens
# that 0.3 is, a right sampler moves them by three quarters of it, and one without a temperature by
# up to a half; what leaves fewer shows nothing.
MOVES = 0.3
WHOLE = 0.6


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Sampling):
        return
    for method in measurement.methods:
        status = _status(method)
        if status is not None:
            yield Conviction(
                rule=CODE,
                status=status,
                probe=PROBE,
                place=method.plain_place if status is Status.CONFIRMED else method.place,
                message=f"`{method.symbol}` draws alike at every `{method.parameter}`",
                values=_values(method),
            )


def _status(method: SampledMethod) -> Status | None:
    """None: nothing was drawn, or the draws follow neither the one nor the other."""
    if not method.parameter or method.crash is not None or method.rows < ENOUGH_ROWS:
        return None
    if all(draw.total_variation <= FOLLOWS for draw in method.draws):
        return Status.REFUTED
    moved = method.moved_by_temperature
    expected = _expected(method)
    if expected < MOVES or moved is None or moved > min(ALIKE, expected / 2):
        return None
    if method.greedy or method.scales_probabilities:
        return None
    # softmax(softmax(z) / T) is even at all T: that is the temperature on probabilities.
    even = all(draw.from_scaled_probabilities <= FOLLOWS for draw in method.draws)
    return None if even else Status.CONFIRMED


def _expected(method: SampledMethod) -> float:
    return 1.0 if method.expected_movement is None else method.expected_movement


def _values(method: SampledMethod) -> dict[str, Value]:
    return {
        "parameter": method.parameter,
        "temperatures": tuple(draw.temperature for draw in method.draws),
        "total_variations": tuple(draw.total_variation for draw in method.draws),
        "moved_by_temperature": method.moved_by_temperature,
        "entropies_nats": tuple(draw.entropy for draw in method.draws),
        "rows": tuple(draw.rows for draw in method.draws),
        # a test asks for softmax(z / T) of all tokens
        **(values_of(method.written) if _expected(method) >= WHOLE else {}),
    }


def _test(values: Mapping[str, Value]) -> str:
    """Draws at three temperatures, against the distributions that they should follow."""
    return follows_temperature(values)


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
            probs = torch.softmax(logits, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("softmax(logits,", "softmax(logits / temperature,")

DEFECT = Defect(
    code=CODE,
    name="temperature-without-effect",
    severity=Severity.MEDIUM,
    summary="Tokens are drawn at random, and alike at every temperature.",
    explanation=(
        "A method takes a temperature and draws its tokens, but the temperature never reaches the "
        "logits: it is not used, or what it has scaled is not what is drawn from. Not meant: "
        "greedy decoding (GD401), and a temperature that scales probabilities (GD404)."
    ),
    harm=(
        "Whoever lowers the temperature to get a careful text, or raises it to get a varied one, "
        "gets the same text as ever and does not notice."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw from known logits at temperatures from 0.25 to "
        "4. Histograms that are alike at the lowest and the highest confirm, unless a filter that "
        "stays leaves so few tokens that they would be alike anyway; draws that follow "
        "softmax(logits / temperature) refute."
    ),
    sick=SICK,
    healed=HEALED,
    convicts={PROBE: _convict},
    proof=Proof(measures=TEMPERATURE_MEASURES, test=_test),
)
