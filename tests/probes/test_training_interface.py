"""Whether the model offers a loss of its own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gptdoctor.core.measurements.training_interface import TrainingInterface
from gptdoctor.probes.training_interface import PROBE
from tests.specimen.making import specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e, self.out = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)

"""
PLAIN = "    def forward(self, idx):\n        return self.out(self.e(idx))\n"
LABELLED = """\
    def forward(self, idx, labels=None):
        z = self.out(self.e(idx))
        return z, None if labels is None else F.cross_entropy(z.mT, labels)
"""


def measured(folder: Path, text: str) -> TrainingInterface:
    """The measurement of a model with these methods."""
    found = PROBE.measure(specimen(folder, HEAD + text))
    assert isinstance(found, TrainingInterface)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLAIN, ((), False, ())),
        (LABELLED, (("labels",), True, ())),
        (LABELLED.replace("z.mT", "z.mT.detach()"), (("labels",), False, ())),
        (LABELLED.replace("F.cross_entropy(z.mT, labels)", "0"), (("labels",), False, ())),
        (
            PLAIN + "    def training_step(self, batch):\n"
            "        return F.cross_entropy(self(batch[:, :-1]).mT, batch[:, 1:])\n",
            ((), False, ("training_step",)),
        ),
        (
            PLAIN + "    def compute_loss(self, logits, labels):\n"
            "        return F.cross_entropy(logits.mT, labels, ignore_index=-100)\n",
            ((), False, ("compute_loss",)),
        ),
        (
            PLAIN + "    def training_step(self, batch):\n        raise NotImplementedError\n",
            ((), False, ()),
        ),
    ],
    ids=["none", "labels", "cut-off", "no-tensor", "step", "compute-loss", "not-written"],
)
def test_a_loss_counts_when_the_parameters_hear_of_it(
    tmp_path: Path, text: str, expected: tuple[object, ...]
) -> None:
    """Promised is not given: the call must return a scalar with a way back."""
    found = measured(tmp_path, text)
    assert expected == (found.label_parameters, found.loss_returned, found.loss_methods)
    assert (found.loss is not None) == (found.loss_returned or bool(found.loss_methods))
    assert found.uniform_loss == pytest.approx(math.log(97))
