"""Losses of models that are trained on classes and not on tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.probes.gradient_flow import PROBE as GRADIENT_FLOW
from gptdoctor.probes.labels import PROBE as LABELS
from gptdoctor.probes.learning import PROBE as LEARNING
from gptdoctor.specimen.objective import OWN
from tests.specimen.making import build, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim, tags=5):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, tags)
        self.one = nn.Linear(dim, 1)
"""
FOR_EACH_TOKEN = """
    def forward(self, ids, labels=None):
        scores = self.out(self.mix(self.e(ids))[0])
        if labels is None:
            return {"scores": scores}
        loss = F.cross_entropy(scores.flatten(0, 1), labels.flatten())
        return {"scores": scores.detach(), "loss": loss}
"""
FOR_EACH_ROW = """
    def forward(self, ids, y=None):
        scores = self.out(self.mix(self.e(ids))[0][:, -1])
        return scores if y is None else (F.cross_entropy(scores, y), scores)
"""
SHARES = """
    def forward(self, ids, target=None):
        score = self.one(self.mix(self.e(ids))[0][:, -1]).squeeze(-1)
        if target is None:
            return score
        return F.binary_cross_entropy_with_logits(score, target)
"""
REQUIRED = """
    def forward(self, ids, labels):
        return F.cross_entropy(self.out(self.mix(self.e(ids))[0][:, -1]), labels)
"""
PAIRED = """
    def forward(self, ids, labels=None):
        scores = self.out(self.mix(self.e(ids))[0][:, -1])
        if labels is None:
            return scores
        return F.softplus(scores[:, 1] - scores[:, 0] * (2.0 * labels - 1)).mean()
"""
REQUIRED_SHARES = """
    def forward(self, ids, labels):
        score = self.one(self.mix(self.e(ids))[0][:, -1]).squeeze(-1)
        return F.binary_cross_entropy_with_logits(score, labels), score
"""
SEVERAL = """
    def forward(self, ids, labels=None):
        scores = self.out(self.mix(self.e(ids))[0][:, -1])
        if labels is None:
            return scores
        return F.binary_cross_entropy_with_logits(scores, labels)
"""
REQUIRED_SEVERAL = """
    def forward(self, ids, labels):
        scores = self.out(self.mix(self.e(ids))[0])
        return F.binary_cross_entropy_with_logits(scores, labels), scores
"""
STEP = """
    def forward(self, ids):
        return self.out(self.mix(self.e(ids))[0][:, -1])

    def training_step(self, batch, batch_idx):
        ids, labels = batch
        return F.cross_entropy(self(ids), labels)
"""


@pytest.mark.parametrize(
    "text",
    [
        *(FOR_EACH_TOKEN, FOR_EACH_ROW, SHARES, REQUIRED, PAIRED, STEP, SEVERAL),
        *(REQUIRED_SHARES, REQUIRED_SEVERAL),
    ],
    ids=[
        *("tokens", "rows", "shares", "required", "paired", "step", "several"),
        *("required-shares", "required-several"),
    ],
)
def test_a_loss_of_classes_is_trained_with(tmp_path: Path, text: str) -> None:
    """It is the objective, every parameter in it hears of it, and it falls."""
    made = specimen(tmp_path, HEAD + text)
    assert made.objective == OWN
    assert made.construction.batch != made.construction.length
    flow = GRADIENT_FLOW.measure(made)
    assert not flow.lost
    assert not any(cut.parameters_gained or cut.parameters_changed for cut in flow.cuts)
    progress = LEARNING.measure(made).progress
    assert progress is not None
    assert progress > 0.5


def test_how_its_labels_are_made_is_told_as_code(tmp_path: Path) -> None:
    """A test that is written needs them."""
    construction = specimen(tmp_path, HEAD + FOR_EACH_ROW).construction
    assert (construction.loss, construction.loss_labels) == ("output[0]", "y")
    assert construction.classes == "torch.arange(len(ids)) % 2"


def test_a_loss_that_nothing_hears_of_is_told(tmp_path: Path) -> None:
    """A leaf that asks for a gradient is no step to take: the loss is a number."""
    text = FOR_EACH_TOKEN.replace(
        "loss = F.cross_entropy(scores.flatten(0, 1), labels.flatten())",
        "loss = torch.tensor(F.cross_entropy(scores.flatten(0, 1), labels.flatten()).item(),"
        " requires_grad=True)",
    )
    made = specimen(tmp_path, HEAD + text)
    (reading,) = LABELS.measure(made).readings
    assert not reading.hears
    assert reading.logits_live
    assert [run.steps for run in LEARNING.measure(made).runs] == [0]


def test_tokens_come_first(tmp_path: Path) -> None:
    """A language model is given tokens, and no classes."""
    text = """
    def forward(self, ids, labels=None):
        scores = self.out(self.mix(self.e(ids))[0])
        if labels is None:
            return scores
        return F.cross_entropy(scores[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
"""
    made = specimen(
        tmp_path, HEAD.replace("nn.Linear(dim, tags)", "nn.Linear(dim, vocab_size)") + text
    )
    assert not made.construction.classes
    assert not any(own.classes for own in made.own_losses)


def test_labels_that_no_form_of_ours_fits_are_no_fault_of_the_code(tmp_path: Path) -> None:
    """A number between two others for each pair of tokens, say."""
    text = """
    def forward(self, ids, labels):
        scores = self.out(self.mix(self.e(ids))[0])
        pairs = torch.einsum("btd,bsd->bts", scores, scores)
        return F.binary_cross_entropy_with_logits(pairs.flatten()[1:], labels)
"""
    construction, _ = build(tmp_path, HEAD + text)
    assert (construction.outcome, construction.crash) == ("not-built", None)


def test_tokens_that_a_loss_of_tokens_refuses_are_its_fault(tmp_path: Path) -> None:
    """Scores [B, T, V] have their classes in the wrong place."""
    text = """
    def forward(self, ids, labels):
        return F.cross_entropy(self.out(self.mix(self.e(ids))[0]), labels)
"""
    head = HEAD.replace("nn.Linear(dim, tags)", "nn.Linear(dim, vocab_size)")
    construction, _ = build(tmp_path, head + text)
    assert construction.outcome == "crashed"
    assert construction.crash is not None
    assert "Expected target size" in construction.crash.message


def test_logits_of_the_last_position_are_of_tokens(tmp_path: Path) -> None:
    """Two classes for each row fit them by chance."""
    text = """
    def forward(self, ids, labels=None):
        scores = self.out(self.mix(self.e(ids))[0])[:, -1]
        return scores if labels is None else F.cross_entropy(scores, labels)
"""
    head = HEAD.replace("nn.Linear(dim, tags)", "nn.Linear(dim, vocab_size)")
    assert not specimen(tmp_path, head + text).own_losses
