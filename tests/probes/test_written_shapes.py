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
    ],
    ids=["named", "joined", "nested", "nested-in-place", "batch", "up", "down"],
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
    ],
    ids=["named", "star", "feed-forward", "widths-have-to-be-equal"],
)
def test_shapes_that_fit_are_left_alone(tmp_path: Path, text: str) -> None:
    """A width that has to be the model's own is a requirement: no layer is the wrong way round."""
    assert convicted(tmp_path, text) == []
