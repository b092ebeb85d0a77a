"""Masks that the text suspects, in whole models: a run tells each once, and by its root alone."""

from __future__ import annotations

import re
from pathlib import Path

from tests.commands import examined

TEXT = """\
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, size, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.fused = nn.Linear(size, 3 * size)

    def forward(self, h):
        n = h.shape[1]
        q, k, v = self.fused(h).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        masked = torch.triu(torch.ones(n, n, device=h.device), diagonal=1).bool()
        y = F.scaled_dot_product_attention(q, k, v, masked)  # tell: GD812
        return h + y.transpose(1, 2).flatten(2)


class InvertedLM(nn.Module):
    def __init__(self, vocab_size=500, size=64, n_heads=4):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, size)
        self.at = nn.Embedding(64, size)
        self.block = Block(size, n_heads)
        self.head = nn.Linear(size, vocab_size)

    def forward(self, ids):
        x = self.tokens(ids) + self.at(torch.arange(ids.shape[1], device=ids.device))
        return self.head(self.block(x))


class LibraryLM(nn.Module):
    def __init__(self, vocab_size=500, size=64, n_heads=4, longest=64):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, size)
        self.mha = nn.MultiheadAttention(size, n_heads, batch_first=True)
        self.head = nn.Linear(size, vocab_size)
        self.register_buffer("visible", torch.ones(longest, longest, dtype=torch.bool).tril())

    def forward(self, ids):
        h = self.tokens(ids)
        n = h.size(1)
        y, _ = self.mha(h, h, h, attn_mask=self.visible[:n, :n], need_weights=False)  # tell: GD812
        return self.head(h + y)


class Forgot(nn.Module):
    def __init__(self, vocab_size=500, size=64, n_heads=4):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, size)
        self.n_heads = n_heads
        self.mix = nn.Linear(size, 3 * size)
        self.head = nn.Linear(size, vocab_size)

    def forward(self, ids):
        x = self.tokens(ids)
        q, k, v = self.mix(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        causal = torch.tril(torch.ones(x.shape[1], x.shape[1])).bool()  # tell: GD815
        return self.head(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class ForgotScores(nn.Module):
    def __init__(self, vocab_size=500, size=64):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, size)
        self.mix = nn.Linear(size, 3 * size)
        self.head = nn.Linear(size, vocab_size)

    def forward(self, ids):
        x = self.tokens(ids)
        q, k, v = self.mix(x).chunk(3, dim=-1)
        hidden = torch.full((x.size(1), x.size(1)), -torch.inf).triu(1)  # tell: GD815
        weights = torch.softmax(q @ k.mT * q.size(-1) ** -0.5, dim=-1)
        return self.head(weights @ v)
"""


def test_a_mask_is_told_once(tmp_path: Path) -> None:
    """Confirmed where the text saw it; what flows because of it is no finding of its own."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "models.py").write_text(TEXT)
    lines = enumerate(TEXT.splitlines(), start=1)
    wanted = [(found[1], at) for at, line in lines if (found := re.search("# tell: (.*)", line))]
    told = [
        (one["rule"], one["line"])
        for one in examined(tmp_path)["findings"]
        if one["rule"] != "GD601" and one["evidence"]["status"] == "confirmed"
    ]
    assert len(wanted) == 4
    assert told == wanted
