"""Models that cut their labels off their own input: logits of all positions but one, and a loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.labels import Labels
from gptdoctor.probes.labels import PROBE
from gptdoctor.probes.learning import PROBE as LEARNING
from gptdoctor.specimen.objective import OWN
from tests.specimen.making import build, specimen

TEXT = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        logits = self.out(self.mix(self.e(ids[:, :-1]))[0])
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        return {}
"""


@pytest.mark.parametrize(
    "returned",
    ["logits, loss", "{'logits': logits, 'loss': loss}", "loss, logits.transpose(1, 2)", "loss"],
)
def test_it_is_trained_with_its_own_loss(tmp_path: Path, returned: str) -> None:
    """In whatever form the two come."""
    made = specimen(tmp_path, TEXT.replace("{}", returned))
    assert (made.construction.batch, made.construction.length) == (3, 7)
    assert made.objective == OWN
    found = PROBE.measure(made)
    assert isinstance(found, Labels)
    assert [(one.targets, one.offset) for one in found.readings] == [("inputs", 1)]
    progress = LEARNING.measure(made).progress
    assert progress is not None
    assert progress > 0.5


def test_a_number_beside_other_vectors_is_no_loss(tmp_path: Path) -> None:
    """A temperature is returned by some, and nothing is trained by it."""
    text = TEXT.replace("logits = self.out(self.mix(self.e(ids[:, :-1]))[0])", "x = self.e(ids)")
    text = text.replace("loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())", "")
    construction, made = build(tmp_path, text.replace("{}", "x, x.std()"))
    assert made is not None
    assert construction.returns == "no logits"
    assert made.objective != OWN
