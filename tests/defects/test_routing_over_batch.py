"""GD207, routing-over-batch: what the text shows, and where it cannot be sure."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

MIXTURE = """\
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, dim, k=2):
        super().__init__()
        self.k = k
        self.router = nn.Linear(dim, 4)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x):
        B, T, C = x.shape
        shares = self.router(x).float().softmax(dim=1)  # here
        weights, chosen = shares.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows = (chosen == number).any(-1)
            out[rows] += (weights * (chosen == number)).sum(-1)[rows, None] * expert(x[rows])
        return out
"""
WRONG = {
    "the batch": ("dim=1)", "dim=0)"),
    "from the end": ("dim=1)", "dim=-2)"),
    "noise": ("self.router(x).float()", "(self.router(x) + torch.randn(4))"),
    "by torch's choice": (
        "self.router(x).float().softmax(dim=1)",
        "nn.functional.softmax(self.router(x))",
    ),
    "a function of torch": (
        "self.router(x).float().softmax(dim=1)",
        "torch.softmax(self.router(x), 1)",
    ),
}
SILENT = {
    "experts": ("dim=1)", "dim=2)"),
    "experts, from the end": ("dim=1)", "dim=-1)"),
    "rank unknown": ("        B, T, C = x.shape\n", ""),
    "rows": ("self.router(x)", "self.router(x.view(-1, C))"),
    "a form that is not followed": ("self.router(x)", "self.router(x.flatten(0, 1))"),
    "experts choose": ("dim=-1)", "dim=1)"),
    "both ways": ("shares.topk", "shares.softmax(-1).topk"),
    "averages": ("out = torch.zeros_like(x)", "out = torch.einsum('bte,btd->bed', shares, x)"),
    "another layer": ("self.router = nn.Linear(dim, 4)", "self.router = Slots(dim, 4)"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_a_softmax_over_tokens_is_seen(change: tuple[str, str]) -> None:
    """Whatever dimension of the tokens it is, where the experts are chosen from the last."""
    text = MIXTURE.replace(*change)
    assert text != MIXTURE
    assert lines_of("GD207", text) == marked(text)


@pytest.mark.parametrize("change", SILENT.values(), ids=list(SILENT))
def test_sums_over_tokens_that_are_meant_are_silent(change: tuple[str, str]) -> None:
    """And scores whose dimensions are not known."""
    text = MIXTURE.replace(*change)
    assert text != MIXTURE
    assert lines_of("GD207", text) == []
