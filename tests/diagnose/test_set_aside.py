"""What comments and settings set aside, and which comments do nothing."""

from __future__ import annotations

from typing import Any

import pytest

from gptdoctor.config import Options
from gptdoctor.core.comments import IgnoreComment
from gptdoctor.core.diagnosis import Examination, Verdict
from gptdoctor.core.findings import Severity, Status, Symptom
from gptdoctor.core.suppressions import SuppressedBy
from gptdoctor.diagnose.gate import gate
from gptdoctor.diagnose.set_aside import settle
from tests.diagnose.found import comment, examination, finding, model

A_RUN_ALONE = "GD101"  # what a run may show, with a sign in the text or without


def settled(found: Examination, **options: Any) -> Examination:
    """The examination as options want it."""
    return settle(found, Options(**options), whole=True)


def shown(found: Examination) -> list[tuple[str, int]]:
    """Rule and line of what is shown."""
    return [(one.rule, one.location.line) for one in found.findings]


COMMENTS = {
    "by code": (comment("GD101"), True),
    "by the beginning of codes": (comment("GD1"), True),
    "by name": (comment("no-grad-in-forward"), True),
    "whatever the case": (comment("gd101"), True),
    "among others": (comment("GD301", "GD101"), True),
    "of the whole file": (comment("GD101", line=1, whole_file=True), True),
    "another rule": (comment("GD102"), False),
    "another line": (comment("GD101", line=10), False),
    "no rule": (comment("GD"[:0]), False),
    "that cannot be followed": (comment("GD101", trouble="it is misspelt"), False),
}


@pytest.mark.parametrize(("said", "aside"), COMMENTS.values(), ids=COMMENTS)
def test_a_comment_sets_a_finding_aside(said: IgnoreComment, aside: bool) -> None:
    """Then it is neither shown nor any matter of the gate, but counted."""
    found = settled(examination(finding(status=Status.CONFIRMED), comments=(said,)))
    assert (("GD101", 9) in shown(found)) is not aside
    assert gate(found, Options()).exit_code == (0 if aside else 1)
    assert len(found.suppressed) == aside
    if aside:
        why = found.suppressed[0].suppressed
        assert why is not None
        assert why.by is SuppressedBy.COMMENT


def idle(*comments: IgnoreComment, found: Examination | None = None, **options: Any) -> list[str]:
    """What is said of comments that do nothing."""
    whole = settled(found or examination(comments=comments), **options)
    return [one.message for one in whole.findings if one.rule == "GD001"]


def test_a_comment_that_does_nothing_is_told() -> None:
    """As a finding at the comment, of a rule of its own."""
    (told,) = settled(examination(comments=(comment("GD101", line=4),))).findings
    assert (told.rule, told.severity, told.location.line) == ("GD001", Severity.LOW, 4)
    assert told.message == "`GD101` is not found here: the comment can go."


def test_the_words_that_do_nothing_are_told_by_themselves() -> None:
    """The others of the comment stay."""
    found = examination(finding(), comments=(comment("GD101", "no-such", "GD1O2"),))
    (told,) = idle(found=found)
    assert "`no-such` names no rule" in told
    assert "`GD1O2` names no rule, did you mean `GD102`?" in told
    assert "GD101" not in told


@pytest.mark.parametrize(
    ("word", "near"),
    [("no-grad-in-foward", "no-grad-in-forward"), ("GDI01", "GD101"), ("GD1001", ""), ("x", "")],
)
def test_the_nearest_rule_is_named(word: str, near: str) -> None:
    """Where there is one: of a number that no rule has all others are as near."""
    (told,) = idle(comment(word))
    assert (f"did you mean `{near}`?" in told) if near else ("did you mean" not in told)


def test_what_was_not_asked_is_not_called_idle() -> None:
    """A rule that is not selected, or that this run could not settle."""
    said = comment(A_RUN_ALONE)
    assert idle(said)
    assert not idle(said, select=("GD2", "GD001"))
    assert not idle(said, ignore=("GD1",))
    assert not idle(said, fast=True)
    assert not idle(found=examination(comments=(said,), live=False))
    assert not idle(found=examination(comments=(said,), models=(model(Verdict.UNEXAMINED),)))
    assert not idle(found=examination(comments=(said,), models=(model(measured=("a-probe",)),)))
    assert not idle(comment(A_RUN_ALONE, models=()))


def test_a_part_of_the_examination_tells_of_no_comment() -> None:
    """As while a repair is proven, whose fixes make comments idle."""
    found = examination(comments=(comment("GD101"),))
    assert settle(found, Options(), whole=False).findings == ()


def test_a_comment_on_a_refuted_finding_or_a_symptom_does_something() -> None:
    """The text alone would show the one, and the other is told at its root."""
    said = comment("GD101")
    assert not idle(found=examination(finding(status=Status.REFUTED), comments=(said,)))
    symptom = Symptom(rule="GD101", name="no-grad-in-forward", message="It is so.")
    root = finding("GD201", line=30, symptoms=(symptom,))
    assert not idle(found=examination(root, comments=(said,)))


def test_the_rule_on_comments_can_be_silenced_as_any_other() -> None:
    """By the comment itself, by another one, by settings."""
    assert not idle(comment("GD101", "GD001"))
    assert not idle(comment("GD101"), comment("GD001", line=1, whole_file=True))
    whole = settled(examination(comments=(comment("GD101"),)), ignore=("GD0",))
    assert gate(whole, Options(ignore=("GD0",), fail_on=Severity.LOW)).exit_code == 0


FILES = {
    "the file": ("model.py", ("GD101",), True),
    "a pattern": ("*.py", ("GD1",), True),
    "another file": ("other.py", ("GD101",), False),
    "another rule": ("*.py", ("GD2",), False),
    "all but it": ("!model.py", ("GD1",), False),
    "all but another": ("!other.py", ("GD1",), True),
}


@pytest.mark.parametrize(("glob", "codes", "aside"), FILES.values(), ids=FILES)
def test_settings_set_rules_aside_by_file(glob: str, codes: tuple[str, ...], aside: bool) -> None:
    """By patterns that are read as those of .gitignore."""
    found = settled(examination(finding()), per_file_ignores=((glob, codes),))
    assert [one.suppressed.by for one in found.suppressed if one.suppressed] == (
        [SuppressedBy.FILE] * aside
    )
    assert bool(found.findings) is not aside


def test_settings_say_how_bad_a_rule_is() -> None:
    """The longer beginning of a code wins, and the gate goes by it."""
    severities = (("GD1", Severity.HIGH), ("GD101", Severity.LOW))
    found = settled(examination(finding(), finding("GD102", line=3)), severities=severities)
    assert [(one.rule, one.severity) for one in found.findings] == [
        ("GD102", Severity.HIGH),
        ("GD101", Severity.LOW),
    ]


def untrainable(*findings: Any, rule: str | None = "GD101", **changes: Any) -> Examination:
    """Net cannot be trained, for one reason."""
    sick = model(Verdict.UNTRAINABLE, reasons=("it is cut",), reason_rules=(rule,), **changes)
    return examination(*findings, models=(sick,), comments=(comment("GD101"),))


GATE = {
    "all that confirms it": (untrainable(finding(status=Status.CONFIRMED)), 0),
    "one place of two": (
        untrainable(finding(status=Status.CONFIRMED), finding(status=Status.CONFIRMED, line=3)),
        1,
    ),
    "no confirmed one": (untrainable(finding()), 1),
    "another rule": (untrainable(finding(status=Status.CONFIRMED), rule="GD105"), 1),
    "a measured fact": (untrainable(finding(status=Status.CONFIRMED), rule=None), 1),
    "a known reason": (untrainable(rule=None, known_reasons=("it is cut",)), 0),
}


@pytest.mark.parametrize(("found", "code"), GATE.values(), ids=GATE)
def test_an_untrainable_model_fails_unless_its_reasons_are_set_aside(
    found: Examination, code: int
) -> None:
    """The verdict is a fact that no comment changes; the gate may live with it."""
    whole = settled(found)
    assert whole.models[0].verdict is Verdict.UNTRAINABLE
    assert gate(whole, Options()).exit_code == code
