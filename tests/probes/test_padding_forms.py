"""Masks of padding that are not over the tokens, but over what attends to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.probes.padding import measure
from gptdoctor.probes.probe import Abstention
from tests.specimen.making import specimen

MODEL = """
class Model(nn.Module):
    def __init__(self, vocab_size=97, dim=16):
        super().__init__()
        self.words, self.head = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, ids, mask=None):
        x = self.words(ids)
        q, k, v = (each.unflatten(-1, (4, -1)) for each in self.qkv(x).chunk(3, -1))
        scores = torch.einsum("bthd,bshd->bhts", q, k) / 2
        seen = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        if mask is not None:
            {apply}
        scores = scores.masked_fill(~seen, -1e9)
        return self.head(x + torch.einsum("bhts,bshd->bthd", scores.softmax(-1), v).flatten(-2))
"""
APPLIED = {
    "of the keys": "assert mask.dim() == 3; seen = (seen & mask.bool())[:, None]",
    "of the keys that are hidden": "assert mask.dim() == 3; seen = (seen & ~mask.bool())[:, None]",
    "of the keys of each head": "assert mask.dim() == 4; seen = seen & mask.bool()",
    "of queries and keys": "assert mask.shape[1:] == seen.shape; seen = mask[:, None, :, :].bool()",
}
IGNORED = "assert mask.dim() == 3"


@pytest.mark.parametrize("apply", APPLIED.values(), ids=APPLIED)
def test_masks_over_keys_are_given_as_they_are_taken(tmp_path: Path, apply: str) -> None:
    """[B, 1, T], [B, 1, 1, T] or [B, T, T]: the padding that they hide moves nothing."""
    measured = measure(specimen(tmp_path, MODEL.format(apply=apply)))
    assert measured.mask == "mask"
    assert measured.leaking_side is None


def test_a_wider_mask_that_hides_nothing_convicts_nobody(tmp_path: Path) -> None:
    """It may want to be written in a way that was not tried."""
    with pytest.raises(Abstention, match="could be given as mask"):
        measure(specimen(tmp_path, MODEL.format(apply=IGNORED)))
