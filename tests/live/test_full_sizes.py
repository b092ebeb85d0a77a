"""The command on files whose defaults no machine here could hold, or that cannot work at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands import check_json

FILE = """\
from torch import nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim={dim}, heads={heads}, depth={depth}):
        super().__init__()
        {check}
        self.heads = heads
        self.embed = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids, targets=None):
        x = self.embed(ids)
        batch, length, width = x.shape
        for layer in self.layers:
            parts = layer(x).view(batch, length, self.heads, width // self.heads)
            x = x + parts.tanh().flatten(2)
        logits = self.head(x)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""
CHECK = 'assert dim % heads == 0, "heads must divide dim"'
FILES = {
    "large.py": FILE.format(dim=8192, heads=64, depth=80, check="pass"),
    "broken.py": FILE.format(dim=2048, heads=24, depth=4, check="pass"),
    "refused.py": FILE.format(dim=2048, heads=24, depth=4, check=CHECK),
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command says of all three."""
    folder = tmp_path_factory.mktemp("full_sizes")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return check_json("--no-cache", *(folder / name for name in FILES), cwd=folder)


def of(document: dict[str, Any], path: str) -> dict[str, Any]:
    """The model of one file."""
    return next(dict(one) for one in document["models"] if one["path"] == path)


def test_a_default_that_fits_nowhere_is_counted_and_healthy(document: dict[str, Any]) -> None:
    """6.2 thousand million parameters in 24 GB, exactly, and the model is trainable."""
    model = of(document, "large.py")
    count = 2 * 50257 * 8192 + 50257 + 80 * 8193 * 8192
    assert model["verdict"] == "trainable"
    assert model["facts"]["full_sizes"] == ["default"]
    assert model["facts"]["parameters_full"] == [count]
    assert model["facts"]["adamw_bytes"] == [8 * count]
    assert model["facts"]["full_size_checks"] == ["forward and backward run at B=3, T=64"]
    assert "full-size" in model["measured"]


def test_a_default_that_breaks_degrades_the_model(document: dict[str, Any]) -> None:
    """The tiny run is healthy; the finding is at the line that fails at the file's own sizes."""
    model = of(document, "broken.py")
    assert model["verdict"] == "degraded"
    [finding] = [one for one in document["findings"] if one["path"] == "broken.py"]
    assert (finding["rule"], finding["evidence"]["probe"]) == ("GD302", "full-size")
    lines = FILES["broken.py"].splitlines()
    assert "parts = layer(x).view(" in lines[finding["line"] - 1]


def test_a_default_that_its_own_check_refuses_is_noted(document: dict[str, Any]) -> None:
    """No finding, no lesser verdict; but nobody can build the model as it is written."""
    model = of(document, "refused.py")
    assert model["verdict"] == "trainable"
    assert not [one for one in document["findings"] if one["path"] == "refused.py"]
    assert any("heads must divide dim" in note for note in model["notes"])
