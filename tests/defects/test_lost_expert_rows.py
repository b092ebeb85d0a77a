"""GD202, lost-expert-rows: what the text shows, and where it cannot be sure."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

REPEATED = """\
import torch
from torch import nn


class Stacked(nn.Module):
    def __init__(self, dim, k=2):
        super().__init__()
        self.k = k
        self.router = nn.Linear(dim, 4)
        self.up = nn.Parameter(torch.zeros(4, dim, dim))

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        rows = torch.arange(len(x)).repeat_interleave(self.k)
        answers = torch.einsum("nd,nde->ne", x[rows], self.up[chosen.flatten()])
        out = torch.zeros_like(x)
        out[rows] += answers * weights.flatten()[:, None]  # here
        return out
"""
NAMED_TWICE = {
    "as written": ("", ""),
    "divided": (
        "torch.arange(len(x)).repeat_interleave(self.k)",
        "chosen.flatten().argsort() // self.k",
    ),
    "by a function": (
        "torch.arange(len(x)).repeat_interleave(self.k)",
        'torch.div(chosen.flatten().argsort(), self.k, rounding_mode="floor")',
    ),
    "in another order": (
        "repeat_interleave(self.k)",
        "repeat_interleave(self.k)[chosen.flatten().argsort()]",
    ),
}
NAMED_ONCE = {
    "added by index": ("out[rows] += answers", "out.index_add_(0, rows, answers); y = answers"),
    "one expert": ("topk(self.k", "topk(1"),
    "once each": (".repeat_interleave(self.k)", ""),
    "by another number": ("repeat_interleave(self.k)", "repeat_interleave(self.heads)"),
    "expert by expert": (
        "        out[rows] +=",
        "        for number in range(4):\n            rows = rows[chosen.flatten() == number]\n"
        "            out[rows] +=",
    ),
}


@pytest.mark.parametrize("change", NAMED_TWICE.values(), ids=NAMED_TWICE)
def test_sums_into_rows_that_are_named_several_times(change: tuple[str, str]) -> None:
    """`+=` adds once to each row, however often it is named."""
    text = REPEATED.replace(*change) if change[0] else REPEATED
    assert lines_of("GD202", text) == marked(text)


@pytest.mark.parametrize("change", NAMED_ONCE.values(), ids=NAMED_ONCE)
def test_sums_into_rows_that_are_named_once(change: tuple[str, str]) -> None:
    """Or that add all of them."""
    text = REPEATED.replace(*change)
    assert text != REPEATED
    assert lines_of("GD202", text) == []
