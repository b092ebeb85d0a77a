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
COPIED = """\
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
            rows, slot = torch.where(chosen == number)
            out[rows].add_(weights[rows, slot, None] * expert(x[rows]))  # here
        return out
"""
WRITTEN = {
    "added": ("out[rows].add_(", "out[rows] += ("),
    "to a part": ("out[rows].add_(", "out[0].add_("),
    "made anew": ("out[rows].add_(", "y = out[rows].add("),
    "by index": ("out[rows].add_(", "out.index_add_(0, rows, "),
}


def test_sums_into_a_copy() -> None:
    """What row numbers pick is none of the buffer."""
    assert lines_of("GD202", COPIED) == marked(COPIED)
    masked = COPIED.replace("out[rows]", "out[(chosen == number).any(-1)]")
    assert lines_of("GD202", masked) == marked(masked)
    dropped = COPIED.replace("out[rows].add_(", "out.index_add(0, rows, ")
    assert lines_of("GD202", dropped) == marked(dropped)
    kept = dropped.replace("out.index_add", "out = out.index_add")
    assert lines_of("GD202", kept) == []


@pytest.mark.parametrize("change", WRITTEN.values(), ids=WRITTEN)
def test_sums_into_the_buffer(change: tuple[str, str]) -> None:
    """Or into what is no copy."""
    text = COPIED.replace(*change)
    assert text != COPIED
    assert lines_of("GD202", text) == []


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
