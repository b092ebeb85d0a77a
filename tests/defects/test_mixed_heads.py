"""GD306: views that make heads of positions, in helpers and after a shape is unpacked."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
from torch import nn


class Mixing(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)

"""
CASES = {
    "a helper that is given the sizes": """
    def parted(self, x, seq_len, bsz):
        return x.view(bsz, self.heads, seq_len, self.size)  # here

    def forward(self, x):
        bsz, length, _ = x.size()
        q = self.parted(self.q(x) * self.size**-0.5, length, bsz)
        return q @ self.parted(self.k(x), -1, bsz).mT
    """,
    "a helper that turns": """
    def parted(self, x, seq_len, bsz):
        return x.view(bsz, seq_len, self.heads, self.size).transpose(1, 2)

    def forward(self, x):
        bsz, length, _ = x.size()
        return self.parted(self.q(x), length, bsz)
    """,
    "a helper that is given heads": """
    def parted(self, x, seq_len, bsz):
        return x.view(bsz, self.heads, seq_len, self.size)

    def forward(self, x):
        bsz, length, _ = x.size()
        parts = self.q(x).view(bsz, length, self.heads, -1).transpose(1, 2)
        return self.parted(parts.flatten(0, 1), length, bsz)
    """,
    "a helper that nobody calls": """
    def parted(self, x, seq_len, bsz):
        return x.view(bsz, self.heads, seq_len, self.size)
    """,
    "the shape of what a layer gave": """
    def forward(self, x):
        query = self.q(x)
        batch_size, seq_len, _ = query.shape
        return query.view(batch_size, self.heads, seq_len, self.size)  # here
    """,
    "another value of the name": """
    def forward(self, x):
        query = self.q(x)
        batch_size, seq_len, _ = query.shape
        query = query.view(batch_size, seq_len, self.heads, -1).transpose(1, 2).flatten(0, 1)
        return query.view(batch_size, self.heads, seq_len, self.size)
    """,
}


@pytest.mark.parametrize("body", CASES.values(), ids=CASES)
def test_views(body: str) -> None:
    """A view is told by what the callers of its method give to it."""
    text = HEAD + "\n".join(f"    {line}".rstrip() for line in plain(body).splitlines()) + "\n"
    marks = marked(text)
    assert lines_of("GD306", text) == marks
