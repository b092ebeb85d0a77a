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
    "in the helper that makes it": """
    def _loss(self, z, y):
        return F.cross_entropy(z, y).detach()  # here

    def forward(self, x, y=None):
        z = self.head(x)
        loss = None
        if y is not None:
            loss = self._loss(z, y)
        return {"logits": z, "loss": loss}
    """,
    "added up as numbers": """
    def forward(self, x, y):
        total = 0.0
        for row, want in zip(self.head(x), y):
            total += F.cross_entropy(row, want).item()  # here
        return torch.tensor(total / len(x), requires_grad=True)
    """,
    "the mean of a list of numbers": """
    def training_step(self, batch):
        losses = []
        for x, y in batch:
            loss = self.criterion(self.head(x), y)
            losses.append(loss.item())  # here
        return torch.tensor(losses).mean() if len(losses) < 2 else sum(losses) / len(losses)
    """,
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
    "by a module in a name, in both forms of the result": """
    def forward(self, x, labels=None, return_dict=True):
        logits = self.head(x)
        loss = None
        if labels is not None:
            loss_fct = nn.CrossEntropyLoss()
            loss = loss_fct(logits.view(-1, 9), labels.view(-1)).item()  # here
        if not return_dict:
            output = (logits,) + (x,)
            return ((loss,) + output) if loss is not None else output
        return Output(loss=loss, logits=logits, hidden_states=x)
    """,
    "one of the losses that a setting picks": """
    def forward(self, x, labels=None):
        logits = self.head(x)
        loss = None
        if labels is not None:
            if self.kind == "regression":
                loss_fct = nn.MSELoss()
                loss = loss_fct(logits.squeeze(), labels.squeeze())
            elif self.kind == "one":
                loss_fct = nn.CrossEntropyLoss()
                loss = loss_fct(logits.view(-1, 9), labels.view(-1)).detach()  # here
            else:
                loss = nn.BCEWithLogitsLoss()(logits, labels)
        return Output(loss=loss, logits=logits)
    """,
}
WHOLE = {
    "a helper for the eye": """
    def report_loss(self, z, y):
        return F.cross_entropy(z, y).item()

    def forward(self, x, y):
        z = self.head(x)
        return F.cross_entropy(z, y), self.report_loss(z, y)
    """,
    "a helper that evaluation calls": """
    def held_out_loss(self, x, y):
        return F.cross_entropy(self.head(x), y).item()

    def validate(self, x, y):
        return self.held_out_loss(x, y)
    """,
    "added up with their graphs": """
    def forward(self, x, y):
        total, shown = 0.0, 0.0
        for row, want in zip(self.head(x), y):
            loss = F.cross_entropy(row, want)
            total += loss
            shown += loss.item()
        return total / len(x), shown
    """,
    "one of them with its graph": """
    def forward(self, x, y):
        total = 0.0
        for row, want in zip(self.head(x), y):
            total += F.cross_entropy(row, want).item()
        total += self.criterion(self.head(x), y)
        return total
    """,
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
    "cut where a switch says so": """
    def forward(self, x, y=None, evaluating=False):
        logits = self.head(x)
        if self.config.freeze_head:
            loss = F.cross_entropy(logits, y).detach()
        else:
            loss = self.criterion(logits, y)
        return Output(loss=loss, logits=logits)
    """,
    "cut on the second look": """
    def forward(self, x, y=None, log=False):
        loss = F.cross_entropy(self.head(x), y)
        if log:
            loss = loss.detach()
        return Output(loss=loss)
    """,
    "another loss in a name": """
    def forward(self, x, y=None):
        loss_fct = self.make_loss()
        loss = loss_fct(self.head(x), y).detach()
        return Output(loss=loss)
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
