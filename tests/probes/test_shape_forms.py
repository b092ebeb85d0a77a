"""Reshapes that mix, rows that meet each other, forms of logits that differ."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gptdoctor.core.findings import Place, Status
from gptdoctor.core.measurements.shapes import Shapes
from gptdoctor.defects.shapes import mixed_heads, silent_broadcast, wrong_output_shape
from gptdoctor.probes.instruments.head_mixing import is_mixed, put_right
from gptdoctor.probes.instruments.odd_shapes import first_odd
from gptdoctor.probes.instruments.shape_trace import Reshape
from gptdoctor.probes.instruments.spread_rows import is_spread
from gptdoctor.probes.shapes import PROBE
from gptdoctor.specimen.specimen import Specimen
from tests.defects.records import NO_RECORD
from tests.probes.attentions import HEAD, HEALTHY, MIXED
from tests.specimen.making import line_of, specimen

RULES = (mixed_heads.DEFECT, silent_broadcast.DEFECT, wrong_output_shape.DEFECT)
PLAIN = "self.out(x + self.att(x))"
# Ways to make one number of the losses `each` [N], of N = B * T tokens.
LOSSES = {
    "each.mean()": "",
    "(each * (targets.flatten() > 0)).mean()": "",
    "each.view(targets.shape).mean(1).mean()": "",
    "each.mean() + (x.mean((1, 2))[:, None] - x.mean((1, 2))[None]).square().mean()": "",
    "each.mean() + (x.mean(2)[:, :, None] - torch.arange(x.size(1))).square().mean()": "",
    "(each[:, None] * (targets.flatten() > 0)).mean()": "GD303",
    "(each.view_as(targets)[:, 1:].flatten() * targets[:, 1:].gt(0).flatten()).mean()": "",
    "(each.view_as(targets)[:, 1:].flatten() * (targets[:, 1:] > 0).view(-1, 1)).mean()": "GD303",
    "each.mean() + F.mse_loss(x.mean(1).mean(-1, keepdim=True), targets.float().mean(1))": "GD303",
    "each.mean() + (targets.float().mean(1) - x.mean((1, 2))[:, None]).abs().mean()": "GD303",
}
FORMS = {
    "self.out(x + self.att(x))": "",
    "self.out(x + self.att(x))[:, -1:]": "",
    "self.out(x + self.att(x)).flatten(0, 1)": "",
    "self.out((x + self.att(x)).unsqueeze(2)).squeeze(2)": "",
    "self.out(x + self.att(x)).squeeze()": "GD304",
    "self.out(x + self.att(x).squeeze())": "GD304",
}


def made(folder: Path, body: str, logits: str = PLAIN, loss: str = "each.mean()") -> Specimen:
    """A model with this attention, these logits and this loss."""
    text = HEAD.replace("BODY", body.strip("\n")).replace("LOGITS", f"{logits}  # logits")
    return specimen(folder, text.replace("LOSS", f"{loss}  # loss"))


def findings(of: Specimen) -> list[tuple[str, int | None]]:
    """Rule and line of all that is confirmed."""
    measured = PROBE.measure(of)
    return [
        (found.rule, found.place.line if found.place else None)
        for rule in RULES
        for found in rule.convicts[PROBE.name](measured, NO_RECORD)
        if found.status is Status.CONFIRMED
    ]


@pytest.mark.parametrize("form", MIXED)
def test_positions_that_become_something_else_are_found(tmp_path: Path, form: str) -> None:
    """At the reshape, and nowhere else."""
    of = made(tmp_path, MIXED[form])
    assert findings(of) == [("GD306", line_of(of, "# here"))]


@pytest.mark.parametrize("form", HEALTHY)
def test_positions_that_stay_are_left_alone(tmp_path: Path, form: str) -> None:
    """Split and turned, in chunks, shifted, or mixed and put back."""
    assert findings(made(tmp_path, HEALTHY[form])) == []


@pytest.mark.parametrize(("loss", "rule"), LOSSES.items())
def test_rows_that_meet_each_other_in_a_loss(tmp_path: Path, loss: str, rule: str) -> None:
    """A column and a row of the batch; not what is written as a table, nor positions."""
    of = made(tmp_path, HEALTHY["good"], loss=loss)
    assert findings(of) == ([(rule, line_of(of, "# loss"))] if rule else [])


@pytest.mark.parametrize(("logits", "rule"), FORMS.items())
def test_logits_whose_form_depends_on_b_and_t(tmp_path: Path, logits: str, rule: str) -> None:
    """What is dropped where B or T is one; not a form that is always the same."""
    of = made(tmp_path, HEALTHY["good"], logits=logits)
    assert findings(of) == ([(rule, line_of(of, "# logits"))] if rule else [])


def test_the_effect_is_measured_only_where_something_is_mixed(tmp_path: Path) -> None:
    """It costs three passes."""
    healthy = PROBE.measure(made(tmp_path, HEALTHY["good"]))
    assert isinstance(healthy, Shapes)
    assert (healthy.mixed, healthy.mixing_effect) == ((), None)
    cancelled = PROBE.measure(made(tmp_path, HEALTHY["cancel"]))
    assert isinstance(cancelled, Shapes)
    assert len(cancelled.mixed) == 1
    assert cancelled.mixing_effect == 0.0


@pytest.mark.parametrize(
    ("before", "after", "mixed"),
    [
        ((2, 11, 64), (2, 4, 11, 16), True),
        ((2, 4, 11, 16), (2, 11, 64), True),
        ((2, 11, 64), (8, 11, 16), True),
        ((2, 11, 64), (2, 11, 4, 16), False),
        ((8, 11, 16), (2, 4, 11, 16), False),
        ((2, 4, 11, 12), (2, 4, 12, 11), False),  # the shift of relative positions
        ((2, 11, 64), (22, 64), False),
    ],
)
def test_a_reshape_mixes_what_stands_before_the_positions(
    before: tuple[int, ...], after: tuple[int, ...], mixed: bool
) -> None:
    """As many numbers as there were, or positions are taken apart."""
    assert is_mixed(before, after, 11) is mixed


def test_put_right_is_what_a_transpose_gives() -> None:
    """Both ways, and with rows and heads in one dimension."""
    x = torch.arange(2 * 11 * 64).view(2, 11, 64)
    heads = x.view(2, 11, 4, 16).transpose(1, 2)
    for right, after in (
        (put_right(x, (2, 4, 11, 16), 11), heads),
        (put_right(heads, (2, 11, 64), 11), x),
        (put_right(x, (8, 11, 16), 11), heads.reshape(8, 11, 16)),
    ):
        assert right is not None
        assert torch.equal(right, after)


@pytest.mark.parametrize(
    ("longer", "shorter", "spread"),
    [
        ((7, 1), (7,), True),
        ((35, 1), (35,), True),
        ((2, 7, 1), (1, 7), True),
        ((7, 1), (1, 7), False),
        ((7, 1), (5,), False),
        ((5, 1), (5,), False),  # positions
        ((7, 1), (), False),
    ],
)
def test_a_column_and_a_row_of_the_batch_spread(
    longer: tuple[int, ...], shorter: tuple[int, ...], spread: bool
) -> None:
    """Where the other operand has a dimension fewer."""
    assert is_spread(longer, shorter, frozenset({7, 35})) is spread


def test_the_first_reshape_that_does_not_go_with_b_and_t() -> None:
    """What comes after it is its consequence."""

    def step(line: int, before: tuple[int, ...], after: tuple[int, ...]) -> Reshape:
        place = Place(path="m.py", symbol="f", line=line)
        return Reshape(place=place, operation="view", before=before, after=after)

    works = [step(1, (3, 7, 64), (21, 64)), step(2, (21, 64), (3, 7, 64)), step(3, (3, 7), (21,))]
    fails = [step(1, (2, 11, 64), (22, 64)), step(2, (22, 64), (11, 2, 64)), step(3, (2, 11), (9,))]
    found = first_odd(works, fails, (3, 7), (2, 11))
    assert found is not None
    assert found[0].line == 2
    assert first_odd(works, works, (3, 7), (3, 7)) is None
