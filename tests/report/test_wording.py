"""Evidence in words."""

from __future__ import annotations

import math

import pytest

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Evidence, Status, Value
from gptdoctor.report.amounts import Values, count, decimal, duration, joined, percent, some
from gptdoctor.report.wording import by_keys, evidence_sentence, values_sentence


def evidence(status: Status, **values: Value) -> Evidence:
    """Evidence of a probe called "probe"."""
    return Evidence(status=status, probe="probe", values=values)


def test_an_unknown_rule_is_told_by_its_keys() -> None:
    """A rule that nobody has written a sentence for reads well all the same."""
    told = evidence_sentence(
        "GD999",
        evidence(
            Status.CONFIRMED,
            leaked_positions=3,
            first_loss_nats=4.5747,
            lost_share=0.5,
            names=("a", "b", "c", "d", "e"),
            guarded=False,
            step_seconds=0.002,
        ),
    )
    assert told == (
        "by probe: leaked positions 3; first loss 4.57 nats; lost 50%; names a, b, c, d and 1 "
        "more; guarded no; step 2 ms"
    )


@pytest.mark.parametrize("rule", [defect.code for defect in all_defects()])
@pytest.mark.parametrize("status", Status)
def test_missing_values_are_no_error(rule: str, status: Status) -> None:
    """A sentence falls back to keys, or to what is known, when its numbers are not there."""
    told = values_sentence(rule, evidence(status, oddity=1))
    assert "None" not in told
    assert told


def test_a_suspicion_is_told_by_its_reason() -> None:
    """There is no measurement to tell of."""
    blocked = Evidence(status=Status.SUSPECTED, reason="no probe reached this code")
    assert evidence_sentence("GD101", blocked) == "no probe reached this code"


def test_a_gradient_that_only_changes_is_told_by_its_size() -> None:
    """A partial harm is not told as a missing gradient."""
    told = values_sentence(
        "GD101",
        evidence(
            Status.CONFIRMED,
            operation="no_grad",
            parameters_gained=0,
            parameters_changed=1,
            largest_relative_change=0.25,
        ),
    )
    assert told == "the gradients of 1 parameter change by up to 25%"


def test_a_crash_at_sane_sizes_is_not_told_twice() -> None:
    """The message of the finding has the error and the shapes; the evidence names the instance."""
    told = evidence(
        Status.CONFIRMED, fails="with 4 heads, and works with 1", error="ValueError: sizes",
        shapes=("x [3, 7]",), build="GPT(n_head=4)", call="model(ids)",
    )  # fmt: skip
    assert values_sentence("GD302", told) == (
        "`GPT(n_head=4)` fails with 4 heads, and works with 1"
    )


def test_infinite_and_missing_numbers_have_words() -> None:
    """What is not finite is called so."""
    assert by_keys({"loss_nats": math.inf, "best": math.nan}) == (
        "loss infinite nats; best not a number"
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    {
        "none": (count(0, "file"), "no files"),
        "one": (count(1, "entry"), "1 entry"),
        "many": (count(12345, "entry"), "12,345 entries"),
        "small": (decimal(0.00001234), "1.2e-5"),
        "usual": (decimal(4.5747), "4.57"),
        "large": (decimal(12345.6), "12,346"),
        "milliseconds": (duration(0.0042), "4.2 ms"),
        "seconds": (duration(4.217), "4.2 s"),
        "minutes": (duration(75), "1 min 15 s"),
        "share": (percent(0.5), "50%"),
        "tiny-share": (percent(0.001), "0.1%"),
        "list": (joined(["a", "b", "c"]), "a, b and c"),
        "some": (some("abcdef"), "a, b, c, d and 2 more"),
    }.values(),
)
def test_amounts(written: str, expected: str) -> None:
    """Numbers are written as people write them."""
    assert expected == written


def test_values_of_another_type_are_missing() -> None:
    """A result file of another version is no reason to fail."""
    values = Values({"steps": "many", "flag": 1, "names": "a"})
    assert values.integer("steps") is None
    assert values.flag("flag") is None
    assert values.names("names") == ()
