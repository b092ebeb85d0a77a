"""GD310: views of turned tensors whose sizes are the tensor's own shape, cut and added to."""

from __future__ import annotations

import pytest

from tests.defects.scanning import lines_of

TEXT = """\
import torch
from torch import nn


class Mixing(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(width, width)
        self.width = width

    def forward(self, probs, value):
        mixed = torch.matmul(probs, value)
        mixed = mixed.permute(0, 2, 1, 3){copied}
        shape = mixed.size()[:-2] + (self.width,)
        mixed = mixed.view({sizes})
        return self.out(mixed)
"""
JOINED = ["shape", "*shape", "mixed.shape[:-2] + (self.width,)"]


@pytest.mark.parametrize("sizes", JOINED)
def test_the_last_dimensions_of_a_turned_product_are_not_joined_by_a_view(sizes: str) -> None:
    """However the new shape is made of the old one; a copy before makes it right."""
    assert lines_of("GD310", TEXT.format(copied="", sizes=sizes)) == [15]
    assert lines_of("GD310", TEXT.format(copied=".contiguous()", sizes=sizes)) == []


@pytest.mark.parametrize(
    "sizes",
    ["mixed.shape[:-1] + (2, 3)", "probs.shape[:-2] + (self.width,)", "mixed.shape[1:-2] + (3,)"],
    ids=["split", "another's shape", "another cut"],
)
def test_other_shapes_say_nothing(sizes: str) -> None:
    """What splits a dimension is a view; what is not known is left alone."""
    assert lines_of("GD310", TEXT.format(copied="", sizes=sizes)) == []
