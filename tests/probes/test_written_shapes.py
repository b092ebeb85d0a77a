"""Shapes that are wrong as they are written: numbers, nested shapes, sizes in the wrong order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gptdoctor.core.measurements.record import Measured
from gptdoctor.defects.shapes import crash_at_sane_sizes
from gptdoctor.probes.shapes import PROBE
from tests.defects.convicting import line_in
from tests.defects.records import NO_RECORD
from tests.probes.tower import changed
from tests.specimen.making import build, line_of

SPLIT = "q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)"
MERGED = "return self.proj((weights @ v).transpose(1, 2).reshape(B, T, C))"
NAMED = "shape = {}\n        q, k, v = self.qkv(x).view(shape).permute(2, 0, 3, 1, 4)"
FEED_FORWARD = """
class Model(nn.Module):
    def __init__(self, vocab_size, d_model, d_ff):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d_model)
        self.up = nn.Linear(d_model, d_ff)
        self.down = nn.Linear(d_ff, d_model)
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, idx):
        x = self.emb(idx)
        x = x + self.down(F.gelu(self.up(x)))
        return self.head(x)
"""
BIASED = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim, heads):
        super().__init__()
        self.heads = heads
        self.emb = nn.Embedding(vocab_size, dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        B, T = idx.shape
        x = self.emb(idx)
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        slopes = 0.5 ** torch.arange(1, self.heads + 1)
        far = torch.arange(T)[None, :] - torch.arange(T)[:, None]
        bias = slopes[:, None, None] * far
        bias = bias.masked_fill(far > 0, -torch.inf)
        weights = (q @ k.mT + bias).softmax(-1)
        return self.head((weights @ v).transpose(1, 2).flatten(2))
"""
STEPPED = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim, heads):
        super().__init__()
        self.heads = heads
        self.emb = nn.Embedding(vocab_size, dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.emb(idx).view(idx.size(0), self.heads, -1)
        return self.head(x.flatten(1))[:, None]
"""


def convicted(folder: Path, text: str) -> list[tuple[int, int]]:
    """The line that the rule tells, and the one that was meant, marked with `# wrong`."""
    construction, made = build(folder, text)
    assert made is not None
    measured = (
        Measured(probe="construction", measurement=construction),
        Measured(probe=PROBE.name, measurement=PROBE.measure(made)),
    )
    record = replace(NO_RECORD, target=made.target, measured=measured)
    found = crash_at_sane_sizes.read_construction(construction, record)
    wanted = line_of(made, "# wrong") if "# wrong" in text else 0
    return [(line_in(made, one) or 0, wanted) for one in found]


def named(shape: str) -> str:
    """Attention whose heads are split by a shape that has a name."""
    return changed((SPLIT, NAMED.format(shape)))


@pytest.mark.parametrize(
    "text",
    [
        named("(B, T, 3, self.heads, 64)  # wrong"),
        named("x.size()[:-1] + (3, self.heads, 64)  # wrong"),
        named("(x.shape[:-1], 3, self.heads, -1)  # wrong"),
        changed((SPLIT, SPLIT.replace("view(B, T, 3,", "view(x.shape[:-1], 3,") + "  # wrong")),
        changed(
            (
                MERGED,
                "y = (weights @ v).transpose(1, 2).reshape(8, T, -1)  # wrong\n"
                "        return self.proj(y)",
            )
        ),
        FEED_FORWARD.replace("nn.Linear(d_model, d_ff)", "nn.Linear(d_ff, d_model)  # wrong"),
        FEED_FORWARD.replace("nn.Linear(d_ff, d_model)", "nn.Linear(d_model, d_ff)  # wrong"),
        FEED_FORWARD.replace(
            "        self.up = nn.Linear(d_model, d_ff)",
            "        self.cross = False\n        if self.cross:\n"
            "            self.up = nn.Linear(2 * d_model, d_ff)\n        else:\n"
            "            self.up = nn.Linear(d_ff, d_model)  # wrong",
        ),
        BIASED.replace("slopes[:, None, None] * far", "slopes[:, None] * far  # wrong"),
        changed((MERGED, "return self.proj(weights @ v.reshape(B, T, C))  # wrong")),
    ],
    ids=[
        *("named", "joined", "nested", "nested-in-place", "batch", "up", "down", "branch"),
        *("bias", "merged"),
    ],
)
def test_what_is_written_wrongly_is_told_where_it_is_written(tmp_path: Path, text: str) -> None:
    """And not where it fails, which may be lines and functions further on."""
    told = convicted(tmp_path, text)
    assert told
    assert all(line == wanted for line, wanted in told)


@pytest.mark.parametrize(
    "text",
    [
        named("(B, T, 3, self.heads, C // self.heads)"),
        named("(*x.shape[:-1], 3, self.heads, -1)"),
        FEED_FORWARD,
        FEED_FORWARD.replace("x + self.down(F.gelu(self.up(x)))", "x + self.up(x)"),
        BIASED,
        STEPPED,
    ],
    ids=["named", "star", "feed-forward", "widths-have-to-be-equal", "bias", "one-token"],
)
def test_shapes_that_fit_are_left_alone(tmp_path: Path, text: str) -> None:
    """A width that has to be the model's own is a requirement: no layer is the wrong way round."""
    assert convicted(tmp_path, text) == []


FOREIGN = """
import torch
from torch import nn


class Conv1D(nn.Module):
    def __init__(self, nf, nx):
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight = nn.Parameter(torch.randn(nx, nf) * 0.02)
        self.bias = nn.Parameter(torch.zeros(nf))

    def forward(self, x):
        y = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return y.view(*x.shape[:-1], self.nf)
"""


@pytest.mark.parametrize(
    ("layer", "sick"),
    [("Conv1D(3 * dim, dim)", False), ("Conv1D(dim, 3 * dim)", True)],
    ids=["right", "exchanged"],
)
def test_a_layer_of_another_library_is_as_torchs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layer: str, sick: bool
) -> None:
    """It fails at what it is given, and does not refuse it: its constructor was told wrongly."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "foreign_layers.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(folder)
    text = "from foreign_layers import Conv1D\n" + changed(
        ("self.qkv = nn.Linear(dim, 3 * dim)", f"self.qkv = {layer}  # wrong")
    )
    told = convicted(tmp_path, text)
    assert bool(told) is sick
    assert all(line == wanted for line, wanted in told)
