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


NOTHING = """\
    def forward(self, idx, labels=None{more}):
        z, loss = self.out(self.e(idx)), None
        if labels is not None:
            {made}
        return z, loss
"""


@pytest.mark.parametrize(
    ("more", "made", "idle"),
    [
        ("", "loss = None", "labels"),
        ("", "seen = (labels != -100).sum()", "labels"),
        ("", "loss = F.cross_entropy(z.mT, labels)", ""),
        ("", "loss = F.cross_entropy(z.mT, labels, reduction='none')", ""),
        ("", "self.loss_parts = [F.cross_entropy(z.mT, labels)]", ""),
        ("", "z = self.out(self.e(idx) + self.e(labels))", ""),
        ("", "self.kept = labels", ""),
        (", next_sentence_label=None", "loss = None", ""),
        (
            ", return_loss=False",
            "loss = F.cross_entropy(z.mT, labels) if return_loss else None",
            "",
        ),
    ],
)
def test_labels_of_which_nothing_comes_are_told(
    tmp_path: Path, more: str, made: str, idle: str
) -> None:
    """Not where a number is made of them, they are kept, or something else decides."""
    found = measured(tmp_path, NOTHING.format(more=more, made=made))
    assert found.idle_labels == idle
    assert found.loss_returned is (idle == "" and "cross_entropy(z.mT, labels)\n" in made + "\n")


def test_the_place_of_a_loss_that_is_left_out_is_behind_the_question(tmp_path: Path) -> None:
    """And without such a statement it is the entry."""
    left = measured(tmp_path, NOTHING.format(more="", made="loss = None")).idle_at
    bare = measured(tmp_path, NOTHING.format(more="", made="pass")).idle_at
    aside = "loss = None\n        aux_loss = None"
    beside = measured(tmp_path, NOTHING.format(more="", made=aside)).idle_at
    assert left is not None
    assert left.line is not None
    assert beside is not None
    assert beside.line == left.line
    assert bare is not None
    assert bare.line is None
