"""What the rule about ties sees in text."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, dim, tie=True):
        super().__init__()
        self.e = nn.Embedding(9, dim)
        self.h = nn.Linear(dim, 9, bias=False)
"""

TIES = {
    "the head": "self.h.weight = self.e.weight  # here\nself.h = nn.Linear(dim, 9)",
    "the embedding": "self.h.weight = self.e.weight  # here\nself.e = nn.Embedding(9, dim)",
    "a weight": (
        "self.h.weight = self.e.weight  # here\nself.h.weight = nn.Parameter(torch.ones(9, dim))"
    ),
    "a copy": "if tie:\n    self.h.weight = nn.Parameter(self.e.weight.clone())  # here",
    "a copy of its numbers": (
        "# share the weights\nself.h.weight = nn.Parameter(self.e.weight.data.clone())  # here"
    ),
    "tied": "self.h.weight = self.e.weight",
    "tied again": (
        "self.h.weight = self.e.weight\nself.h.weight = self.e.weight\nself.h.bias = None"
    ),
    "made before": "self.h = nn.Linear(dim, 9)\nself.h.weight = self.e.weight",
    "another layer": "self.h.weight = self.e.weight\nself.g = nn.Linear(dim, 9)",
    "made anew by a setting": (
        "self.h.weight = self.e.weight\nif not tie:\n    self.h = nn.Linear(dim, 9)"
    ),
    "a start": "self.h.weight = nn.Parameter(self.e.weight.clone())",
}


@pytest.mark.parametrize("body", TIES.values(), ids=TIES)
def test_ties_that_do_not_hold(body: str) -> None:
    """A tie that is undone below, or that makes a copy where one is spoken of."""
    inside = "\n".join(f"        {line}" for line in plain(body).splitlines())
    text = f"{HEAD}\n{inside}\n\n    def forward(self, x):\n        return self.h(self.e(x))\n"
    assert lines_of("GD107", text) == marked(text)


OTHER_TIES = {
    "one memory": ("self.h.weight.data = self.e.weight.data  # here", "pass"),
    "numbers under a setting": (
        "if tie:\n    with torch.no_grad():\n        self.h.weight.copy_(self.e.weight)  # here",
        "pass",
    ),
    "numbers as a start": ("self.h.weight.data.copy_(self.e.weight.data)", "pass"),
    "a deep copy": ("# tied\nself.h.weight = copy.deepcopy(self.e.weight)  # here", "pass"),
    "a copy by a method": (
        "self.tie_weights()",
        "self.h.weight = nn.Parameter(self.e.weight.clone())  # here",
    ),
    "undone by a method": (
        "self.h.weight = self.e.weight  # here\nself.fill()",
        "self.e = nn.Embedding.from_pretrained(torch.ones(9, 3), freeze=False)",
    ),
    "tied by a method": ("self.tie_weights()", "self.h.weight = self.e.weight"),
    "a start by a method": (
        "self.fill()",
        "self.h.weight = nn.Parameter(self.e.weight.clone())",
    ),
    "filled by a method": (
        "self.h.weight = self.e.weight\nself.fill()",
        "self.e.weight.data.zero_()",
    ),
}


@pytest.mark.parametrize(("body", "method"), OTHER_TIES.values(), ids=OTHER_TIES)
def test_ties_by_numbers_and_by_methods(body: str, method: str) -> None:
    """What the constructor calls is read where it calls it."""
    inside = "\n".join(f"        {line}" for line in plain(body).splitlines())
    name = "tie_weights" if "tie_weights" in body else "fill"
    text = f"import copy\n{HEAD}{inside}\n\n    def {name}(self):\n        {method}\n"
    text += "\n    def forward(self, x):\n        return self.h(self.e(x))\n"
    assert lines_of("GD107", text) == marked(text)
