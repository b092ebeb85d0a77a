"""Crashes of numbers of two types that meet: told, and at the line that made the other type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.record import Measured
from gptdoctor.defects.shapes import crash_at_sane_sizes
from gptdoctor.probes.shapes import PROBE
from tests.defects.convicting import line_in
from tests.defects.records import NO_RECORD
from tests.specimen.making import build, line_of

MODEL = """
SIZES = {"vocab": 999, "dim": 64, "dtype": torch.bfloat16}

class Norm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        given = x.dtype
        wide = x.float()
        power = wide.pow(2).mean(-1, keepdim=True)
        return (self.scale * wide * torch.rsqrt(power + 1e-6)).to(given)


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        dim, dtype = config["dim"], config["dtype"]
        self.emb = nn.Embedding(config["vocab"], dim, dtype=dtype)
        self.norm = Norm(dim)
        self.up = nn.Linear(dim, 2 * dim, dtype=dtype)
        self.down = nn.Linear(2 * dim, dim, dtype=dtype)
        self.gate = nn.Parameter(torch.ones(2 * dim, dtype=dtype))
        self.head = nn.Linear(dim, config["vocab"], dtype=dtype)

    def forward(self, ids):
        x = self.emb(ids)
        h = self.norm(x)
        h = self.up(h) * self.gate
        h = torch.relu(h)
        return self.head(x + self.down(h))
"""
# What is changed, and the line to be told.
FAULTS = {
    "a cast": ("h = torch.relu(h)", "h = torch.relu(h).float()", "relu(h).float()"),
    "made of a list": ("h = torch.relu(h)", "h = torch.tensor(h.tolist())", "torch.tensor("),
    "no way back": (".to(given)", "", "wide = x.float()"),
    "a weight": ("torch.ones(2 * dim, dtype=dtype)", "torch.ones(2 * dim)", "self.up(h) * "),
}


@pytest.mark.parametrize(("old", "new", "line"), FAULTS.values(), ids=FAULTS)
def test_the_line_that_made_the_other_type_is_told(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    """The line that fails is another one."""
    assert old in MODEL
    construction, made = build(tmp_path, MODEL.replace(old, new))
    assert construction.outcome == "crashed"
    assert made is not None
    shapes = Measured(probe=PROBE.name, measurement=PROBE.measure(made))
    built = Measured(probe="construction", measurement=construction)
    record = replace(NO_RECORD, target=made.target, measured=(built, shapes))
    found = list(crash_at_sane_sizes.read_construction(construction, record))
    assert [line_in(made, one) for one in found] == [line_of(made, line)]
    assert "of another type" in found[0].message


def test_types_that_are_led_back_are_healthy(tmp_path: Path) -> None:
    """A norm that works in float32."""
    construction, made = build(tmp_path, MODEL)
    assert construction.outcome == "built"
    assert made is not None
    assert PROBE.measure(made).sources == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("message", "mixes"),
    [
        ("mat1 and mat2 must have the same dtype, but got BFloat16 and Float", True),
        ("expected m1 and m2 to have the same dtype, but got: float != double", True),
        ("expected scalar type Half but found Float", True),
        ("Got unsupported ScalarType BFloat16", True),
        # whole numbers where fractions are due may be what we gave
        ("expected scalar type Long but found Float", False),
        ("mat1 and mat2 shapes cannot be multiplied (3x64 and 32x64)", False),
        ("half of the heads are missing", False),
    ],
)
def test_the_words_for_numbers_of_two_types(message: str, mixes: bool) -> None:
    """Those of torch, of types that somebody chose."""
    assert Crash(stage="forward", kind="RuntimeError", message=message).mixes_types is mixes
