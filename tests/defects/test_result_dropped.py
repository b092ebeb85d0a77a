"""GD619, result-dropped: statements that compute something and keep nothing of it."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.drop = nn.Dropout(0.1)
        self.act = nn.ReLU(inplace=True)
        self.cache = nn.LSTM(width, width)
        self.scale = nn.Parameter(torch.ones(width))

"""
DROPPED = {
    "a function of torch.nn.functional": "F.relu(x)",
    "a function of torch": "torch.softmax(x, dim=-1)",
    "a dropout that is told the mode": "F.dropout(x, 0.1, self.training)",
    "a method": "x.add(1)",
    "a layer": "self.drop(x)",
    "a parameter's own": "self.scale.clamp(0, 1)",
    "what a parameter holds": "self.scale.data.clamp(0, 1)",
    "what nothing but a tensor has": "self.first(x).softmax(-1)",
}
KEPT = {
    "a function in place": "F.relu_(x)",
    "told to work in place": "F.relu(x, inplace=True)",
    "told so by position": "F.relu(x, True)",
    "into a tensor": "torch.add(x, 1, out=x)",
    "a layer in place": "self.act(x)",
    "a layer with more than a result": "self.cache(x)",
    "a method of the class": "self.add(x)",
    "a set": "seen = set()\n        seen.add(x)",
    "a parameter in place": "self.scale.data.clamp_(0, 1)",
}
LOOPS = {
    "what a batch holds": """
        def fit(loader, device):
            for batch in loader:
                for key, value in batch.items():
                    value.to(device)  # here
        """,
    "what a batch is unpacked into": """
        def fit(loader, device):
            for i, batch in enumerate(loader):
                images, labels = batch
                images.to(device)  # here
                labels.long()  # here
        """,
    "the first batch": """
        def look(loader):
            images, labels = next(iter(loader))
            images.cuda()  # here
        """,
    "a result that is squeezed": """
        def fit(net, x):
            out = net(x)
            out.squeeze(1)  # here
            return out
        """,
    "timed": """
        def measure(x):
            torch.softmax(x, dim=-1)
            x.relu()
        """,
    "batches that move themselves": """
        def fit(loader, device):
            for batch in loader:
                batch.to(device)
                inputs, sizes = batch
                inputs.to(device)
        """,
    "things that are no batch": """
        def move(models, device):
            for name, model in models.items():
                model.to(device)
        """,
}


@pytest.mark.parametrize("line", DROPPED.values(), ids=DROPPED)
def test_what_a_network_computes_and_drops_is_seen(line: str) -> None:
    """In its own methods nothing is there to be timed."""
    text = f"{HEAD}    def forward(self, x):\n        {line}  # here\n        return x\n"
    assert lines_of("GD619", text) == marked(text)


@pytest.mark.parametrize("line", KEPT.values(), ids=KEPT)
def test_what_works_in_place_is_left_alone(line: str) -> None:
    """Or keeps something by itself."""
    text = f"{HEAD}    def forward(self, x):\n        {line}\n        return x\n"
    assert lines_of("GD619", text) == []


@pytest.mark.parametrize("name", LOOPS)
def test_what_loops_drop_is_seen(name: str) -> None:
    """Of tensors that surely are such."""
    text = plain("import torch") + "\n\n" + plain(LOOPS[name])
    assert lines_of("GD619", text) == marked(text)
