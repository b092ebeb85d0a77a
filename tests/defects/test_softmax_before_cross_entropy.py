"""GD604, softmax-before-cross-entropy: what the text shows."""

from __future__ import annotations

import pytest

from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss()
        self.other = nn.MSELoss()
        self.soft = nn.Softmax(dim=-1)
        self.head = nn.Sequential(nn.Linear(8, 9), nn.Softmax(dim=-1))
        self.open = nn.Sequential(nn.Softmax(dim=-1), nn.Linear(8, 9))
        self.either = nn.CrossEntropyLoss()
        self.either = nn.MSELoss()

    def loss(self, z, y, ready=False):
"""
SEEN = {
    "in the call": "return F.cross_entropy(z.softmax(-1), y)",
    "by its name": "return F.cross_entropy(torch.softmax(z, dim=-1), y)",
    "in another shape": "return F.cross_entropy(F.softmax(z, -1)[:, :-1].flatten(0, 1), y)",
    "by the class's own": "return self.criterion(F.softmax(z, -1).view(-1, 9), y)",
    "by a loss built here": "return nn.CrossEntropyLoss(reduction='sum')(z.softmax(1), y)",
    "by a layer": "return self.criterion(self.soft(z), y)",
    "by the last of several layers": "return F.cross_entropy(self.head(z)[:, -1], y)",
    "by keyword": "return F.cross_entropy(target=y, input=torch.softmax(input=z, dim=1))",
    "on both ways": "p = z.softmax(-1) if ready else F.softmax(z[:, 1:], -1)\n"
    "        return self.criterion(p, y)",
    "without a logarithm": "return F.nll_loss(z.softmax(-1).transpose(1, 2), y)",
}
UNSEEN = {
    "logits": "return F.cross_entropy(z, y)",
    "logarithms": "return F.cross_entropy(z.log_softmax(-1), y)",
    "logarithms of probabilities": "return F.nll_loss(z.softmax(-1).log(), y)",
    "a layer before the last": "return F.cross_entropy(self.open(z), y)",
    "a loss that may be another": "return self.either(z.softmax(-1), y)",
    "from somewhere else": "return F.cross_entropy(self.made(z), y)",
    "powers of probabilities": "p = z.softmax(-1)\n        p.log_()\n"
    "        return F.nll_loss(p, y)",
    "soft targets": "return F.cross_entropy(z, y.softmax(-1))",
    "another loss": "return self.other(z.softmax(-1), y)",
    "attention before": "return F.cross_entropy(z.softmax(-1) @ z, y)",
    "one of two": "p = z.softmax(-1)\n        p = z if ready else p\n"
    "        return F.cross_entropy(p, y)",
    "changed afterwards": "p = z.softmax(-1)\n        p += z\n        return F.cross_entropy(p, y)",
}


@pytest.mark.parametrize("lines", SEEN.values(), ids=SEEN)
def test_probabilities_in_a_cross_entropy_are_seen(lines: str) -> None:
    """On the line of the softmax."""
    assert lines_of("GD604", f"{HEAD}        {lines}\n") == [18]


def test_a_loss_in_a_local_name_is_seen() -> None:
    """Where the name holds nothing else."""
    text = f"{HEAD}        p = z.softmax(-1)\n        loss = nn.CrossEntropyLoss()\n"
    assert lines_of("GD604", f"{text}        return loss(p, y)\n") == [18]
    other = "        loss = loss if ready else F.mse_loss\n        return loss(p, y)\n"
    assert lines_of("GD604", f"{text}{other}") == []


def test_probabilities_behind_a_name_are_seen_where_they_are_made() -> None:
    """One assignment is all there is to the name."""
    text = f"{HEAD}        p = z.softmax(-1)\n        q = p.flatten(0, 1)\n"
    assert lines_of("GD604", f"{text}        return F.cross_entropy(q, y.flatten())\n") == [18]


@pytest.mark.parametrize("lines", UNSEEN.values(), ids=UNSEEN)
def test_what_may_be_logits_is_left_alone(lines: str) -> None:
    """Only what is plainly a softmax counts."""
    assert lines_of("GD604", f"{HEAD}        {lines}\n") == []
