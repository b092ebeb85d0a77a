"""Models without logits: what they are given, and what they are trained for here."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.probes.learning import measure as learning
from gptdoctor.probes.probe import Abstention
from gptdoctor.probes.training_interface import measure as training_interface
from tests.specimen.making import build, specimen

ENCODER = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.mix = nn.LSTM(dim, dim, batch_first=True)

    def forward(self, input_ids):
        return {"last_hidden_state": self.mix(self.e(input_ids))[0]}
"""
CLASSIFIER = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, 2)

    def forward(self, input_ids):
        return self.out(self.e(input_ids).mean(1))
"""
BACKBONE = """
class Model(nn.Module):
    def __init__(self, dim=768):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.f = nn.Linear(dim, dim)

    def forward(self, x):
        return self.f(self.norm(x)) + x
"""
ALL_LAYERS = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.f = nn.Linear(dim, dim)

    def forward(self, input_ids):
        x = self.e(input_ids)
        return {"all_outputs": [x, self.f(x)]}
"""
LIKENESS = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.see = nn.Conv2d(3, dim, 4, 4)

    def forward(self, text, image, other_image=None):
        assert other_image is None
        return (self.e(text).mean(1) * self.see(image).flatten(2).mean(2)).sum(-1)
"""
CONSTANT = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)

    def forward(self, input_ids):
        return self.e(input_ids).detach()
"""


@pytest.mark.parametrize(
    "text", [ENCODER, CLASSIFIER, BACKBONE], ids=["encoder", "classes", "bare"]
)
def test_a_model_without_logits_is_run_and_learns(tmp_path: Path, text: str) -> None:
    """It is to give for a row what it gave at first for another: a healthy one can."""
    made = specimen(tmp_path, text)
    assert made.construction.returns == "no logits"
    assert made.objective == "exchanged rows"
    run = learning(made).runs[-1]
    assert run.best_loss < 0.5 * run.first_loss


def test_a_backbone_is_given_vectors_of_its_width(tmp_path: Path) -> None:
    """Its first input is no ids, and is said to be none."""
    made = specimen(tmp_path, BACKBONE)
    (fact,) = made.construction.inputs
    assert (fact.kind, fact.shape) == ("features", (3, 7, 64))
    assert "torch.randn(3, 7, 64)" in made.construction.call


def test_of_the_outputs_of_all_layers_the_last_one_counts(tmp_path: Path) -> None:
    """The first would leave the layers without a gradient."""
    made = specimen(tmp_path, ALL_LAYERS)
    model = made.copy()
    made.loss(model, made.inputs()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_what_compares_texts_with_pictures_is_given_both(tmp_path: Path) -> None:
    """It gives one number a pair, and refuses a text alone."""
    made = specimen(tmp_path, LIKENESS)
    assert {fact.kind for fact in made.construction.inputs} == {"ids", "image"}
    assert made.objective == "exchanged rows"


def test_no_loss_is_asked_of_a_model_without_logits(tmp_path: Path) -> None:
    """What it is trained for is decided elsewhere."""
    with pytest.raises(Abstention, match="no logits"):
        training_interface(specimen(tmp_path, ENCODER))


def test_an_output_that_no_weight_has_a_part_in_cannot_learn(tmp_path: Path) -> None:
    """The task is no favour: a cut graph stays cut."""
    made = specimen(tmp_path, CONSTANT)
    assert not made.loss(made.copy(), made.inputs()).requires_grad


def test_an_output_without_a_row_for_each_of_the_batch_is_none(tmp_path: Path) -> None:
    """A table of positions says nothing about what it was given."""
    text = ENCODER.replace('{"last_hidden_state": self.mix(self.e(input_ids))[0]}', "self.e.weight")
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "not-built"


def test_vectors_for_each_row_are_given_where_those_for_tokens_do_not_fit(tmp_path: Path) -> None:
    """Where B equals T they would by chance."""
    text = """
class Model(nn.Module):
    def __init__(self, data_dim: int, hidden: int):
        super().__init__()
        self.inward, self.out = nn.Linear(data_dim, hidden), nn.Linear(hidden, data_dim)
        self.steps = nn.Embedding(100, hidden)

    def forward(self, x0):
        t = torch.arange(x0.size(0))
        return F.mse_loss(self.out(torch.relu(self.inward(x0) + self.steps(t))), x0)
"""
    construction = specimen(tmp_path, text).construction
    assert "x0=torch.randn(3, 64)" in construction.call
