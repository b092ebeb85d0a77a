"""GD205, expert-loop-waste: what the text shows, and where it cannot be sure."""

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
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            share = (weights * (chosen == number)).sum(-1, keepdim=True)
            out = out + share * expert(x)  # here
        return out
"""
# What takes the place of a part of it; the line is wasteful as before.
WASTEFUL = {
    "counted": ("enumerate(self.experts)", "zip(range(4), self.experts)"),
    "factors exchanged": ("share * expert(x)", "expert(x).to(x.dtype).mul(share)"),
    "masked": ("share * expert(x)", "expert(x).masked_fill(~(share > 0), 0.0) * weights[..., :1]"),
}
SILENT = {
    "rows": ("share * expert(x)", "share * expert(x * share)"),
    "the expert is told who chose it": ("expert(x)", "expert(x, share)"),
    "skipped": (
        "            share",
        "            if number not in chosen:\n                continue\n            share",
    ),
    "soft": ("(weights * (chosen == number))", "weights"),
    "added to a share": ("share * expert(x)", "(share + x[..., :1]) * expert(x)"),
    "all of them": ("topk(self.k,", "topk(4,"),
    "none are left out": ("topk(self.k,", "topk(len(self.experts),"),
    "experts that read": ("nn.ModuleList(nn.Linear(dim, dim)", "nn.ModuleList(nn.GRU(dim, dim)"),
    "experts from outside": ("nn.ModuleList(nn.Linear(dim, dim) for _ in range(4))", "given"),
    "one after the other": ("share * expert(x)", "0\n            x = x + share * expert(x)"),
    "each expert's best tokens": ("topk(self.k, dim=-1)", "topk(self.k, dim=0)"),
    "heard of elsewhere": (
        "out = out + share * expert(x)",
        "y = expert(x)\n            self.apart = y.var()\n            out = out + share * y",
    ),
}


@pytest.mark.parametrize("change", WASTEFUL.values(), ids=list(WASTEFUL))
def test_all_rows_for_the_sake_of_a_few_are_seen(change: tuple[str, str]) -> None:
    """However the result is multiplied with zero or cut away."""
    text = MIXTURE.replace(*change)
    assert lines_of("GD205", text) == marked(text)


@pytest.mark.parametrize("change", SILENT.values(), ids=list(SILENT))
def test_loops_that_need_all_rows_or_give_fewer_are_silent(change: tuple[str, str]) -> None:
    """And those of which the text does not tell."""
    text = MIXTURE.replace(*change)
    assert text != MIXTURE
    assert lines_of("GD205", text) == []


def test_an_experts_class_is_looked_into() -> None:
    """One with a convolution reads other rows than its own."""
    reader = MIXTURE.replace("nn.Linear(dim, dim) for", "Expert(dim) for")
    own = "class Expert(nn.Module):\n    def __init__(self, dim):\n        super().__init__()\n"
    plain = f"{own}        self.up = nn.Linear(dim, dim)\n"
    mixing = f"{own}        self.up = nn.Conv1d(dim, dim, 3)\n"
    assert lines_of("GD205", reader + plain) == marked(reader)
    assert lines_of("GD205", reader + mixing) == []
