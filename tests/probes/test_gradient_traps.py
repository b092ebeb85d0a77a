"""Healthy models of all kinds: no rule about gradients says anything of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.record import Measured
from gptdoctor.judge import judge
from gptdoctor.probes import gradient_flow, parameter_registration
from gptdoctor.specimen.specimen import Specimen
from tests.defects.records import NO_RECORD
from tests.probes.gradient_traps import TRAPS, text
from tests.specimen.making import specimen

SEEDS = range(2)


def convictions(made: Specimen) -> Iterator[Conviction]:
    """What the probes of this family confirm of a specimen."""
    for probe in (gradient_flow.PROBE, parameter_registration.PROBE):
        measured = Measured(probe=probe.name, measurement=probe.measure(made), executed={})
        record = replace(NO_RECORD, target=made.target, measured=(measured,))
        yield from (one for one in judge(record) if one.status is Status.CONFIRMED)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trap", TRAPS)
def test_a_healthy_model_is_left_alone(tmp_path: Path, trap: str) -> None:
    """On each of several seeds."""
    made = specimen(tmp_path, text(*TRAPS[trap]))
    for seed in SEEDS:
        found = list(convictions(replace(made, seed=seed)))
        assert not found, [(one.rule, one.place, one.message) for one in found]


@pytest.mark.filterwarnings("ignore")
def test_what_works_otherwise_elsewhere_lacks_a_part_of_its_gradient(tmp_path: Path) -> None:
    """A tied table of words, looked up without gradients, still learns as the head."""
    model = text("self.out.weight = self.e.weight", "")
    looked_up = "with torch.no_grad():\n            x = self.e(idx)"
    made = specimen(tmp_path, model.replace("x = self.e(idx)", looked_up))
    assert [one.rule for one in convictions(made)] == ["GD101"]


NEXT_STATES = """
class Model(nn.Module):
    def __init__(self, vocab_size=97, dim=32):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.f, self.ahead = nn.GRU(dim, dim, batch_first=True), nn.Linear(dim, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.f(self.e(idx))[0]
        wanted = F.pad(x.detach(), (0, 0, 0, 1))[:, 1:].unfold(1, idx.shape[1], 1)[:, 0].mT
        logits = self.out(x[:, :-1]).flatten(0, 1)
        return F.cross_entropy(logits, idx[:, 1:].flatten()) + F.mse_loss(self.ahead(x), wanted)
"""


@pytest.mark.filterwarnings("ignore")
def test_a_target_that_is_padded_and_cut_into_windows_is_one(tmp_path: Path) -> None:
    """Also where the model gives its loss alone; what stands on the way to a head is a cut."""
    assert not list(convictions(specimen(tmp_path, NEXT_STATES)))
    way = NEXT_STATES.replace("F.mse_loss(self.ahead(x), wanted)", "self.ahead(wanted).sum()")
    found = list(convictions(specimen(tmp_path, way)))
    assert [one.rule for one in found] == ["GD108"]
