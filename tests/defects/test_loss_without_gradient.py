"""GD606, loss-without-gradient: what the text shows."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 9)
        self.criterion = nn.CrossEntropyLoss()

"""
CUT = {
    "a number": """
    def forward(self, x, y=None):
        z = self.head(x)
        loss = F.cross_entropy(z, y)
        return z, loss.item()  # here
    """,
    "detached under its key": """
    def forward(self, x, y=None):
        z = self.head(x)
        loss = self.criterion(z, y).detach()  # here
        return {"logits": z, "loss": loss}
    """,
    "copied for an output": """
    def forward(self, x, y=None):
        z = self.head(x)
        loss = None
        if y is not None:
            loss = torch.tensor(F.cross_entropy(z, y))  # here
        return Output(loss=float(loss), logits=z)
    """,
    "in a step": """
    def training_step(self, batch):
        x, y = batch
        return self.criterion(self.head(x), y).data  # here
    """,
    "its scores": """
    def compute_loss(self, x, y):
        z = self.head(x).detach()  # here
        return F.cross_entropy(z.flatten(0, 1), y.flatten())
    """,
}
WHOLE = {
    "a metric beside it": """
    def forward(self, x, y=None):
        z = self.head(x)
        loss = F.cross_entropy(z, y)
        return loss, loss.item()
    """,
    "a part of what is trained": """
    def forward(self, x, y=None):
        z = self.head(x)
        ce = F.cross_entropy(z, y)
        total = ce + 0.1 * z.square().mean()
        return total, {"ce": ce.item()}, ce.detach()
    """,
    "the step taken inside": """
    def training_step(self, batch):
        loss = F.cross_entropy(self.head(batch[0]), batch[1])
        self.manual_backward(loss)
        return loss.detach()
    """,
    "another loss, from a method": """
    def forward(self, x, y=None):
        z = self.head(x)
        return self.contrastive_loss(z), F.cross_entropy(z, y).item()
    """,
    "a number in evaluation alone": """
    def forward(self, x, y=None):
        loss = F.cross_entropy(self.head(x), y)
        return loss if self.training else loss.item()
    """,
    "two ends": """
    def forward(self, x, y=None):
        loss = F.cross_entropy(self.head(x), y)
        if not self.training:
            return loss.item()
        return loss
    """,
    "a look": """
    def validate(self, x, y):
        return F.cross_entropy(self.head(x), y).item()
    """,
    "targets that are cut": """
    def forward(self, x, y=None):
        return F.cross_entropy(self.head(x), y.detach())
    """,
}


@pytest.mark.parametrize("body", CUT.values(), ids=CUT)
def test_a_returned_loss_without_its_graph_is_seen(body: str) -> None:
    """On the line where it leaves the graph."""
    text = f"{HEAD}{body.strip(chr(10))}\n"
    assert lines_of("GD606", text) == marked(text)


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_numbers_for_the_eye_are_left_alone(body: str) -> None:
    """Where a loss that can be trained is returned too, or nothing is to be trained."""
    assert lines_of("GD606", f"{HEAD}{body.strip(chr(10))}\n") == []
