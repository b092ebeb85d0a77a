"""GD907, residual-missing: what the text shows, and where it cannot be sure."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

BLOCK = """\
import torch
from torch import nn


class Regarding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.inward, self.outward = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x, mask=None):
        q, k, v = self.inward(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) + (0 if mask is None else mask)
        return self.outward(scores.softmax(-1) @ v)


class Swelling(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.down(self.up(x).relu())


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Regarding(dim)
        self.mlp = Swelling(dim)
        self.drop = nn.Dropout(0.1)

    def forward(self, x, mask=None):
        x = x + self.drop(self.attn(self.ln_1(x), mask))
        x = self.mlp(self.ln_2(x))  # here
        return x
"""
SECOND = "x = self.mlp(self.ln_2(x))  # here"
FIRST = "x = x + self.drop(self.attn(self.ln_1(x), mask))"
MISSING = {
    "as written": (SECOND, SECOND),
    "other names": (SECOND, "h = self.ln_2(x)\n        x = self.drop(self.mlp(h))  # here"),
    "returned at once": (f"{SECOND}\n        return x", "return self.mlp(self.ln_2(x))  # here"),
    "in place": (FIRST, "x += self.attn(self.ln_1(x), mask)"),
    "attention, norms behind": (
        f"{FIRST}\n        {SECOND}",
        "x = self.ln_1(self.attn(x, mask))  # here\n        x = self.ln_2(x + self.mlp(x))",
    ),
    "a sequence": (
        "self.mlp = Swelling(dim)",
        "self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))",
    ),
    "torch's attention": (
        f"{FIRST}\n        {SECOND}",
        "x = self.attn(x, x, x, attn_mask=mask)[0]  # here\n        x = x + self.mlp(x)",
    ),
}
MHA = ("self.attn = Regarding(dim)", "self.attn = nn.MultiheadAttention(dim, 2)")
SILENT = {
    "kept and added later": (
        f"{FIRST}\n        {SECOND}",
        "old = x\n        x = self.attn(self.ln_1(x))\n        x = old + x\n"
        "        old = x\n        x = self.mlp(self.ln_2(x))\n        x = old + x",
    ),
    "added over both": (
        f"{FIRST}\n        {SECOND}",
        "y = self.attn(self.ln_1(x))\n        y = y + self.mlp(self.ln_2(y))\n        x = x + y",
    ),
    "the sublayer adds it itself": (
        "return self.down(self.up(x).relu())",
        "return x + self.down(self.up(x).relu())",
    ),
    "the sublayer adds it under another name": (
        "return self.down(self.up(x).relu())",
        "y = x\n        x = self.down(self.up(x).relu())\n        return x + y",
    ),
    "the sublayer is handed the stream": ("self.mlp(self.ln_2(x))", "self.mlp(self.ln_2(x), x)"),
    "wrapped": ("self.mlp = Swelling(dim)", "self.mlp = Added(Swelling(dim))"),
    "from outside": ("self.mlp = Swelling(dim)", "self.mlp = feed"),
    "unknown": ("self.mlp = Swelling(dim)", "self.mlp = build_feed_forward(dim)"),
    "a projection": ("self.mlp = Swelling(dim)", "self.mlp = nn.Linear(dim, 2 * dim)"),
    "a pooling": ("self.mlp", "self.pool"),
    "a branch": (SECOND, "if mask is None:\n            x = self.mlp(self.ln_2(x))"),
    "the stream goes on beside it": (f"{SECOND}\n        return x", "return self.mlp(x), x"),
    "a gate": (SECOND, "x = self.mlp(self.ln_2(x)) * x"),
    "neither is added": (FIRST, "x = self.attn(self.ln_1(x), mask)"),
    "beside each other": (
        f"{FIRST}\n        {SECOND}",
        "n = self.ln_1(x)\n        x = x + self.attn(n) + self.mlp(n)",
    ),
}


@pytest.mark.parametrize("change", MISSING.values(), ids=list(MISSING))
def test_a_result_in_the_place_of_the_stream_is_seen(change: tuple[str, str]) -> None:
    """However the block is written down, where another sublayer is added."""
    text = BLOCK.replace(*change)
    text = text.replace(*MHA) if "attn_mask" in text else text
    assert lines_of("GD907", text) == marked(text)


@pytest.mark.parametrize("change", SILENT.values(), ids=list(SILENT))
def test_streams_that_pass_or_may_end_are_silent(change: tuple[str, str]) -> None:
    """And sublayers of which the text does not tell what they do."""
    text = BLOCK.replace(*change)
    assert text != BLOCK
    assert lines_of("GD907", text) == []


def test_a_sum_around_the_block_is_looked_for() -> None:
    """Who calls the block may add what it gives."""
    stack = (
        "\n\nclass Stack(nn.Module):\n    def __init__(self, dim):\n        super().__init__()\n"
        "        self.block = Block(dim)\n\n    def forward(self, x):\n"
        "        return x + self.block(x)\n"
    )
    assert lines_of("GD907", BLOCK + stack) == []
    assert lines_of("GD907", BLOCK + stack.replace("x + self", "self")) == marked(BLOCK)
