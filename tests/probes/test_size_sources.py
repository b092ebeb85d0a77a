"""Where a size comes from that does not fit, which is seldom the line that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.record import Measured, ModelRecord
from gptdoctor.core.measurements.shapes import Shapes
from gptdoctor.defects.shapes import crash_at_sane_sizes, last_position_only, wrong_output_shape
from gptdoctor.probes.shapes import PROBE
from gptdoctor.specimen.specimen import Specimen
from tests.defects.convicting import line_in
from tests.defects.records import NO_RECORD
from tests.probes.tower import LAST, TRANSFORMER, changed
from tests.specimen.making import build, line_of

SPLIT = "q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)"
MASK = "seen = torch.tril(torch.ones(T, T))"
UP = "self.up = nn.Linear(dim, 2 * dim)"
NORM = "self.ln = nn.LayerNorm(dim)"
RMS = """
class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        power = x.pow(2).mean(-1)
        scale = torch.rsqrt(power + 1e-6)
        return self.weight * (x * scale)

"""
ATTENTION = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim, heads):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim)
        self.attn = nn.MultiheadAttention(dim, heads)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.emb(idx)
        future = torch.ones(idx.size(1), idx.size(1)).triu(1).bool()
        y, _ = self.attn(x, x, x, attn_mask=future)
        return self.head(x + y)
"""


STEP = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim)
        self.cell = nn.GRUCell(dim, dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, idx, hidden=None):
        return self.head(self.cell({}, hidden)).unsqueeze(1)
"""


def _record_of(made: Specimen, *measured: Measured) -> ModelRecord:
    """A record with these measurements, and that of the probe."""
    shapes = Measured(probe=PROBE.name, measurement=PROBE.measure(made))
    return replace(NO_RECORD, target=made.target, measured=(*measured, shapes))


def shapes_of(folder: Path, text: str) -> tuple[Specimen, Shapes]:
    """The specimen of a text that may crash, and what the probe measures of it."""
    _, made = build(folder, text)
    assert made is not None
    found = PROBE.measure(made)
    assert isinstance(found, Shapes)
    return made, found


@pytest.mark.parametrize(
    ("text", "line", "kind"),
    [
        (changed((MASK, "seen = torch.tril(torch.ones(16, 16))")), "torch.ones(16", "constant"),
        (
            RMS + changed((NORM, "self.ln = RMSNorm(dim)")),
            "mean(-1)",
            "lost-dimension",
        ),
        (
            changed((LAST, "y = self.ln(x)[:, -1]\n        return self.head(x + 0.5 * y)")),
            "[:, -1]",
            "lost-dimension",
        ),
        (
            changed(
                (
                    LAST,
                    "rows, places = (idx >= 0).nonzero(as_tuple=True)\n"
                    "        shares = x.new_ones(*idx.shape)\n"
                    "        picked = x[rows, places] * shares[rows, places]\n"
                    "        return self.head(self.ln(picked.view_as(x)))",
                )
            ),
            "picked = x",
            "missing-dimension",
        ),
        (changed((UP, "self.up = nn.Linear(2 * dim, dim)")), "self.up = nn", "transposed-weight"),
        (ATTENTION, "nn.MultiheadAttention", "batch-first"),
        (
            changed(
                (
                    LAST,
                    "y = self.emb(idx).transpose(0, 1)\n        z = y * 2\n"
                    "        return self.head(self.ln(x + z))",
                )
            ),
            "transpose(0, 1)",
            "exchanged",
        ),
    ],
    ids=["mask", "norm", "one-of-all", "rows-without-width", "linear", "batch-first", "turned"],
)
def test_the_statement_that_made_the_size_is_told(
    tmp_path: Path, text: str, line: str, kind: str
) -> None:
    """Not the one that fails for it."""
    made, found = shapes_of(tmp_path, text)
    assert [(one.place.line, one.kind) for one in found.sources] == [(line_of(made, line), kind)]


def test_a_layer_that_fits_nowhere_is_not_blamed_on_its_constructor(tmp_path: Path) -> None:
    """With its sizes exchanged the next line fails: nobody knows which of the two is wrong."""
    _, found = shapes_of(tmp_path, changed((UP, "self.up = nn.Linear(3 * dim, dim)")))
    assert found.sources == ()


def test_a_healthy_model_has_no_sources(tmp_path: Path) -> None:
    """Nothing is run twice where nothing fails."""
    _, found = shapes_of(tmp_path, TRANSFORMER)
    assert (found.sources, found.exchanged, found.last_only) == ((), None, None)


def test_a_number_in_the_text_is_held_against_the_code(tmp_path: Path) -> None:
    """Heads of 64 whatever the sizes: the model runs with one head of that width."""
    text = changed((SPLIT, SPLIT.replace("C // self.heads).permute", "64).permute")))
    construction, made = build(tmp_path, text)
    assert construction.outcome == "built"
    assert made is not None
    measured = Measured(probe="construction", measurement=construction)
    record = _record_of(made, measured)
    found = list(crash_at_sane_sizes.read_construction(construction, record))
    assert [line_in(made, one) for one in found] == [line_of(made, "64).permute")]


def test_heads_of_a_size_of_the_models_own_are_left_alone(tmp_path: Path) -> None:
    """A width that heads of 64 have to divide is a requirement, not a number in the way."""
    text = changed(
        (SPLIT, SPLIT.replace("self.heads, C // self.heads", "C // self.size, self.size")),
        ("self.heads = heads", "self.size = 64"),
        ("(C // self.heads)", "self.size"),
    )
    construction, made = build(tmp_path, text)
    assert made is not None
    measured = Measured(probe="construction", measurement=construction)
    found = list(crash_at_sane_sizes.read_construction(construction, _record_of(made, measured)))
    assert found == []


def test_a_length_in_the_text_is_held_against_the_code(tmp_path: Path) -> None:
    """One position fits any length, and is no reason to believe in a requirement."""
    positions = "x = self.emb(idx) + 0.01 * torch.arange(16)[:, None]"
    text = changed(("x = self.emb(idx)", positions))
    made, found = shapes_of(tmp_path, text)
    assert found.fixed_lengths()
    known = Measured(probe="construction", measurement=made.construction)
    [convicted] = crash_at_sane_sizes.read_shapes(found, _record_of(made, known))
    assert line_in(made, convicted) == line_of(made, "torch.arange(16)")


def test_a_width_that_is_lost_is_held_against_the_code(tmp_path: Path) -> None:
    """Though a single position works."""
    text = changed((NORM, "self.ln = RMSNorm(dim)"))
    made, found = shapes_of(tmp_path, RMS + text)
    assert made.construction.length == 1
    assert found.fixed_lengths()
    known = Measured(probe="construction", measurement=made.construction)
    [convicted] = crash_at_sane_sizes.read_shapes(found, _record_of(made, known))
    assert line_in(made, convicted) == line_of(made, "x.pow(2).mean(-1)")


@pytest.mark.parametrize(
    "step", ["self.emb(idx).squeeze(1)", "self.emb(idx).sum(-2).view(len(idx) * idx.size(1), -1)"]
)
def test_a_model_that_takes_one_token_at_a_time_may_do_so(tmp_path: Path, step: str) -> None:
    """Nothing is lost there but the only position."""
    _, found = shapes_of(tmp_path, STEP.format(step))
    assert {case.length for case in found.cases if case.outcome == "ok"} == {1}
    assert found.fixed_lengths() == ()


@pytest.mark.parametrize(
    ("end", "convicted"),
    [
        ("return self.head(self.ln(x)).transpose(0, 1)", True),
        ("y = self.head(self.ln(x).transpose(0, 1))\n        return y.transpose(0, 1)", False),
    ],
    ids=["left", "put-back"],
)
def test_logits_with_the_time_first(tmp_path: Path, end: str, convicted: bool) -> None:
    """They are found where nothing turns them back."""
    made, found = shapes_of(tmp_path, changed((LAST, end)))
    read = list(wrong_output_shape.read_shapes(found, _record_of(made)))
    lines = [line_in(made, one) for one in read]
    assert lines == ([line_of(made, "transpose(0, 1)")] if convicted else [])


@pytest.mark.parametrize(
    ("end", "line"),
    [
        ("return self.head(self.ln(x)[:, -1])", "[:, -1]"),
        ("x = self.ln(x)\n        x = x[:, -1]\n        return self.head(x)", "x = x[:, -1]"),
        ("return self.head(self.ln(x + x.mean(1, keepdim=True))[:, -1])", None),
        (LAST, None),
    ],
    ids=["head", "before", "reads-all", "all"],
)
def test_the_last_position_alone(tmp_path: Path, end: str, line: str | None) -> None:
    """Where each of the others could be trained as well."""
    made, found = shapes_of(tmp_path, changed((LAST, end)))
    read = list(last_position_only.read_shapes(found, _record_of(made)))
    places = [one.place for one in read]
    assert [one.line for one in places if isinstance(one, Place)] == (
        [line_of(made, line)] if line else []
    )
