"""Causality of a model whose training step makes the mask that forward is given."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from gptdoctor.core.measurements.causality import Causality
from gptdoctor.specimen.specimen import Specimen
from tests.specimen.making import line_of, specimen

MODEL = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
        self.to_qkv = nn.Linear(dim, 3 * dim)
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, ids, mask{default}):
        x = self.words(ids)
        q, k, v = self.to_qkv(x).chunk(3, -1)
        scores = q @ k.mT * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores + mask
        return self.to_words(x + scores.softmax(-1) @ v)

    def training_step(self, batch, batch_idx):
        ids, labels = batch
        T = ids.shape[1]
        mask = torch.full((T, T), -torch.inf).triu(1)
        logits = self(ids, mask)
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())
"""
DEFAULTS = ["", "=None"]
TAUGHT = "mask = torch.full((T, T), -torch.inf).triu(1)"


def measured(made: Specimen) -> Causality:
    """What the probe measures."""
    found: Causality = import_module("gptdoctor.probes.causality").PROBE.measure(made)
    return found


@pytest.mark.parametrize("default", DEFAULTS)
def test_a_step_that_makes_a_causal_mask_trains_a_causal_model(
    tmp_path: Path, default: str
) -> None:
    """Though a call without the mask sees all."""
    made = specimen(tmp_path, MODEL.format(default=default))
    assert made.objective == "own loss"
    found = measured(made)
    assert not found.leaks
    assert [run.how for run in found.runs] == ["as training_step calls it"] * 2


@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize(
    "wrong", [TAUGHT.replace("triu(1)", "triu(2)"), "mask = torch.zeros(T, T)  # all"]
)
def test_the_mask_of_a_step_is_held_against_it(tmp_path: Path, default: str, wrong: str) -> None:
    """At the line of the step, though a mask of ours would be right."""
    made = specimen(tmp_path, MODEL.format(default=default).replace(TAUGHT, wrong))
    found = measured(made)
    assert found.leaks
    assert not found.left_to_the_caller
    assert found.place is not None
    assert found.place.line == line_of(made, wrong), found.place


def test_a_step_that_gives_no_mask_says_nothing_of_one(tmp_path: Path) -> None:
    """Then the call is measured as ever."""
    text = MODEL.format(default="=None").replace("self(ids, mask)", "self(ids)")
    assert measured(specimen(tmp_path, text)).leaks
