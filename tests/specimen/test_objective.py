"""The model's own loss, in every convention, or ours."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from gptdoctor.specimen.labels import labels_for
from gptdoctor.specimen.objective import shifted_cross_entropy
from tests.specimen.making import specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, n_embd)
        self.mix = nn.LSTM(n_embd, n_embd, batch_first=True)
        self.out = nn.Linear(n_embd, vocab_size)

    def logits(self, idx):
        return self.out(self.mix(self.e(idx))[0])

"""
PLAIN = "    def forward(self, idx):\n        return self.logits(idx)\n"
CE = "F.cross_entropy(z.flatten(0, 1), y.flatten()"
OWN = {
    "targets-shifted-outside": "    def forward(self, idx, targets=None):\n"
    "        z, y = self.logits(idx), targets\n"
    f"        return z, None if y is None else {CE}, ignore_index=-1)\n",
    "labels-shifted-inside": "    def forward(self, idx, labels=None):\n"
    "        z = self.logits(idx)\n        if labels is None: return {'logits': z}\n"
    "        loss = F.cross_entropy(z[:, :-1].flatten(0, 1), labels[:, 1:].flatten())\n"
    "        return {'logits': z, 'loss': loss}\n",
    "last-position-unless-targets": "    def forward(self, idx, targets=None):\n"
    "        z, y = self.logits(idx), targets\n        if y is None: return z[:, [-1]], None\n"
    f"        return z, {CE})\n",
    "loss-instead-of-logits": "    def forward(self, idx, labels=None):\n"
    "        z, y = self.logits(idx), labels\n        if y is None: return z[:, -1]\n"
    f"        return {CE})\n",
    "required-targets": "    def forward(self, idx, targets):\n"
    f"        z, y = self.logits(idx), targets\n        return z, {CE})\n",
    "loss-without-labels": "    def forward(self, idx):\n        z, y = self.logits(idx[:, :-1]), "
    f"idx[:, 1:]\n        return {CE})\n",
    "compute-loss": PLAIN + "    def compute_loss(self, logits, labels):\n"
    f"        z, y = logits, labels\n        return {CE}, ignore_index=-100)\n",
    "step-on-a-dictionary": PLAIN + "    def training_step(self, batch, batch_idx):\n"
    f"        z, y = self(batch['input_ids']), batch['labels']\n        return {{'loss': {CE})}}\n",
    "step-on-a-pair": PLAIN + "    def training_step(self, batch):\n"
    f"        x, y = batch\n        z = self(x)\n        return {CE})\n",
    "step-on-ids": PLAIN + "    def fit_batch(self, batch):\n"
    f"        z, y = self(batch[:, :-1]), batch[:, 1:]\n        return {CE})\n",
}


@pytest.mark.parametrize("form", OWN)
def test_a_loss_of_the_models_own_is_found(tmp_path: Path, form: str) -> None:
    """Finite, near ln V for a fresh model, and heard by the parameters."""
    made = specimen(tmp_path, HEAD + OWN[form])
    assert made.objective == "own loss"
    assert made.own_losses
    model = made.copy()
    loss = made.loss(model, made.make_inputs(2, 12, 1))
    assert math.isclose(loss.item(), math.log(97), abs_tol=0.5)
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN + "    def train_step(self, batch):\n        loss = self(batch).mean()\n"
        "        loss.backward()\n        return loss.item()\n",
        PLAIN + "    def loss_step(self, idx):\n        loss = self(idx).square().mean()\n"
        "        with torch.no_grad():\n            self.out.bias.sub_(1.0)\n        return loss\n",
        PLAIN + "    def score(self, idx, labels):\n        return self(idx).mean()\n",
    ],
    ids=["nothing", "a-number", "steps-by-itself", "no-loss-in-name-or-text"],
)
def test_what_is_no_loss_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    """Then the objective is shifted cross-entropy."""
    made = specimen(tmp_path, HEAD + text)
    assert made.objective == "shifted cross-entropy"
    assert made.own_losses == ()
    inputs = made.inputs()
    logits = made.call(made.copy(), inputs).logits
    assert logits is not None
    expected = shifted_cross_entropy(logits, inputs["idx"])
    assert made.loss(made.copy(), inputs).item() == pytest.approx(expected.item())


def test_shifted_cross_entropy_asks_for_the_next_token() -> None:
    """Logits that name the next token have no loss, those that name the same one have much."""
    ids = torch.tensor([[1, 2, 3, 4]])
    sure = torch.nn.functional.one_hot(ids.roll(-1, 1), 5).float() * 50
    copying = torch.nn.functional.one_hot(ids, 5).float() * 50
    assert shifted_cross_entropy(sure, ids).item() < 1e-6
    assert shifted_cross_entropy(copying, ids).item() > 10


@pytest.mark.parametrize(("name", "shifted"), [("targets", True), ("y", True), ("labels", False)])
def test_labels_never_hold_a_number_that_a_model_could_refuse(name: str, shifted: bool) -> None:
    """Shifted or not by the promise of their name, and always ids."""
    ids = torch.tensor([[5, 6, 7]])
    expected = [[6, 7, 5]] if shifted else [[5, 6, 7]]
    assert expected == labels_for(name, ids).tolist()


def test_more_inputs_do_not_cost_a_model_its_own_loss(tmp_path: Path) -> None:
    """With a picture in front the logits outgrow the labels: then the text alone is given."""
    text = HEAD.replace("self.out =", "self.see = nn.Linear(20, n_embd)\n        self.out =") + (
        "    def forward(self, idx, image=None, labels=None):\n        x = self.e(idx)\n"
        "        if image is not None: x = torch.cat([self.see(image), x], 1)\n"
        "        z, y = self.out(self.mix(x)[0]), labels\n"
        f"        return z if y is None else (z, {CE}))\n"
    )
    made = specimen(tmp_path, text)
    assert made.objective == "own loss"
    assert [fact.name for fact in made.construction.inputs] == ["idx"]
