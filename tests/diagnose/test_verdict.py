"""What makes a model untrainable, degraded, unexamined, trainable."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.findings import Finding, Place, Status
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import GradientCut, GradientFlow, LostGradient
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.measurements.record import Ending, Measured, ModelRecord, Unmeasured
from gptdoctor.core.measurements.shapes import ShapeCase, Shapes
from gptdoctor.diagnose.join import Judged, join
from gptdoctor.diagnose.verdict import verdict_of
from tests.diagnose import cases

BUILT = cases.measured("construction", cases.construction())
LEARNS = cases.measured("learning", cases.learning())
CRASH = Crash(
    stage="forward", kind="RuntimeError", message="size 3", path=cases.PATH, symbol="Net.forward",
    line=7,
)  # fmt: skip


def flow(*cuts: GradientCut, lost: tuple[LostGradient, ...] = ()) -> Measured:
    """A gradient-flow with these cuts."""
    measurement = GradientFlow(
        objective="own loss", loss=4.6, batch=3, length=7, parameters=(), cuts=cuts, crash=None,
        lost=lost,
    )  # fmt: skip
    return cases.measured("gradient-flow", measurement, 9, 10)


def shapes(length: int, crash: Crash) -> Measured:
    """A shapes probe with one crash at this length, and one pass at T = 7."""
    case = ShapeCase(batch=3, length=length, outcome="crash", logits_shape=None, crash=crash)
    works = ShapeCase(batch=7, length=7, outcome="ok", logits_shape=(7, 7, 97), crash=None)
    return cases.measured(
        "shapes", Shapes(cases=(case, works), transpose_warnings=(), row_influence=None)
    )


def confirmed(tmp_path: Path, record: ModelRecord) -> list[Finding]:
    """A confirmed GD101 in Net.helper."""
    one = Judged(record=record, convictions=(cases.conviction(Status.CONFIRMED),))
    return join(cases.project(tmp_path), [cases.suspicion()], [one], live=True)


def verdict(record: ModelRecord, findings: list[Finding] | None = None) -> Verdict:
    """The verdict alone."""
    return verdict_of(record, findings or [])[0]


def test_a_model_that_learns_and_has_no_defect_is_trainable() -> None:
    """Both decisive probes measured, and nothing is wrong."""
    assert verdict(cases.record(BUILT, flow(), LEARNS)) is Verdict.TRAINABLE


def test_a_confirmed_critical_finding_degrades(tmp_path: Path) -> None:
    """It learns, but the wrong thing or less than it should."""
    record = cases.record(BUILT, flow(), LEARNS)
    assert verdict(record, confirmed(tmp_path, record)) is Verdict.DEGRADED


def test_a_cut_that_costs_parameters_their_gradient_is_untrainable(tmp_path: Path) -> None:
    """Some parameters never move, however well the rest memorises one batch."""
    cut = GradientCut(
        path=cases.PATH, symbol="Net.helper", line=9, operation="no_grad", measured=True,
        parameters_gained=("head.weight",), parameters_changed=0, largest_change=0.0,
    )  # fmt: skip
    record = cases.record(BUILT, flow(cut), LEARNS)
    found, reasons = verdict_of(record, confirmed(tmp_path, record))
    assert found is Verdict.UNTRAINABLE
    assert reasons[0].rule == "GD101"
    assert "head.weight" in reasons[0].text


def test_one_cut_is_one_reason(tmp_path: Path) -> None:
    """The decorator, and the line below it at which the same parameters end."""
    cut = GradientCut(
        path=cases.PATH, symbol="Net.helper", line=9, operation="no_grad", measured=True,
        parameters_gained=("head.weight",), parameters_changed=0, largest_change=0.0,
    )  # fmt: skip
    below = dataclasses.replace(lost(acts=True), parameters=("head.weight",))
    record = cases.record(BUILT, flow(cut, lost=(below,)), LEARNS)
    _, reasons = verdict_of(record, confirmed(tmp_path, record))
    assert [":9 keeps" in reason.text for reason in reasons] == [True]
    more = dataclasses.replace(below, parameters=("head.weight", "body.weight"))
    record = cases.record(BUILT, flow(cut, lost=(more,)), LEARNS)
    _, reasons = verdict_of(record, confirmed(tmp_path, record))
    assert len(reasons) == 2
    assert "1 parameter (body.weight)" in reasons[1].text


def test_a_loss_that_does_not_fall_is_untrainable() -> None:
    """Less than a tenth off the first loss is no progress."""
    flat = cases.measured("learning", cases.learning(first=4.6, best=4.3))
    assert verdict(cases.record(BUILT, flow(), flat)) is Verdict.UNTRAINABLE


def test_a_loss_that_is_no_number_is_untrainable() -> None:
    """NaN compares as false, and must not slip through."""
    broken = cases.measured("learning", cases.learning(first=float("nan"), best=float("nan")))
    assert verdict(cases.record(BUILT, flow(), broken)) is Verdict.UNTRAINABLE


@pytest.mark.parametrize(
    ("length", "raised", "expected"),
    [
        (7, False, Verdict.UNTRAINABLE),
        (8, False, Verdict.TRAINABLE),
        (1, False, Verdict.TRAINABLE),
        (7, True, Verdict.TRAINABLE),
    ],
    ids=[
        "sane sizes",
        "a length that is refused at any batch",
        "one position leaves no loss",
        "the author's own requirement",
    ],
)
def test_a_crash_at_sane_sizes_is_untrainable(length: int, raised: bool, expected: Verdict) -> None:
    """Broken code counts, a refusal with a reason does not."""
    crash = dataclasses.replace(CRASH, raised_there=raised)
    assert verdict(cases.record(BUILT, shapes(length, crash), flow(), LEARNS)) is expected


@pytest.mark.parametrize(("stage", "word"), [("forward", "run"), ("construction", "built")])
def test_a_model_that_never_works_is_told_by_what_fails(stage: str, word: str) -> None:
    """A model whose every call crashes was built."""
    crash = dataclasses.replace(CRASH, stage=stage)
    construction = cases.construction("crashed", crash)
    record = cases.record(cases.measured("construction", construction))
    [reason] = verdict_of(record, [])[1]
    assert reason.text == f"cannot be {word}: RuntimeError in {stage} at model.py:7: size 3"


def test_a_missing_package_that_no_rule_confirms_leaves_it_unexamined(tmp_path: Path) -> None:
    """A declared package that is not installed is missing here, not in the model."""
    failure = ImportFailure(
        path=cases.PATH, line=1, module="einops", name=None, guarded=False, needed=True,
        error="No module named 'einops'",
    )  # fmt: skip
    imports = ImportDependencies(imported=False, failures=(failure,), seconds=0.1)
    crash = dataclasses.replace(CRASH, stage="import")
    record = cases.record(
        cases.measured("import-dependencies", imports),
        cases.measured("construction", cases.construction("crashed", crash)),
    )
    found, reasons = verdict_of(record, [])
    assert found is Verdict.UNEXAMINED
    assert "einops" in reasons[0].text
    # Of another import a defect is confirmed: that says nothing of this one.
    other = cases.conviction(
        Status.CONFIRMED, rule="GD501", place=Place(path=cases.PATH, symbol="", line=2)
    )
    judged = Judged(record=record, convictions=(other,))
    findings = join(cases.project(tmp_path), [], [judged], live=True)
    assert [one.rule for one in findings] == ["GD501"]
    assert verdict(record, findings) is Verdict.UNEXAMINED
    same = dataclasses.replace(other, place=Place(path=cases.PATH, symbol="", line=1))
    judged = Judged(record=record, convictions=(same,))
    findings = join(cases.project(tmp_path), [], [judged], live=True)
    assert verdict(record, findings) is Verdict.UNTRAINABLE


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("RuntimeError", "DefaultCPUAllocator: can't allocate memory", Verdict.UNEXAMINED),
        ("MemoryError", "", Verdict.UNEXAMINED),
        ("RuntimeError", "std::bad_alloc", Verdict.UNEXAMINED),
        ("RuntimeError", "sizes do not fit", Verdict.UNTRAINABLE),
    ],
)
def test_a_backward_pass_that_lacks_memory_is_no_crash_of_the_models(
    kind: str, message: str, expected: Verdict
) -> None:
    """Two probes that say the same are told once."""
    crash = dataclasses.replace(CRASH, stage="backward", kind=kind, message=message)
    failed = cases.measured("learning", dataclasses.replace(cases.learning(), crash=crash, runs=()))
    broken = dataclasses.replace(flow().measurement, crash=crash)
    measured = cases.measured("gradient-flow", broken)
    found, reasons = verdict_of(cases.record(BUILT, measured, failed), [])
    assert (found, len(reasons)) == (expected, 1)


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (Ending(kind="timeout", stage="import", detail="60 s"), Verdict.UNEXAMINED),
        (Ending(kind="exit", stage="import", detail="status 0"), Verdict.UNTRAINABLE),
        (Ending(kind="signal", stage="import", detail="SIGSEGV"), Verdict.UNTRAINABLE),
        (Ending(kind="signal", stage="import", detail="SIGKILL"), Verdict.UNEXAMINED),
        (Ending(kind="not-started", stage="", detail="no torch"), Verdict.UNEXAMINED),
    ],
    ids=lambda value: value.detail if isinstance(value, Ending) else "",
)
def test_an_early_end_is_never_shown_as_healthy(ending: Ending, expected: Verdict) -> None:
    """What the process did to itself is the model's; what stopped it from outside is not."""
    found, reasons = verdict_of(cases.record(ending=ending), [])
    assert found is expected
    assert ending.detail in reasons[0].text


@pytest.mark.parametrize("probe", ["gradient-flow", "learning"])
def test_without_a_decisive_probe_there_is_no_verdict(probe: str) -> None:
    """Not measured is not healthy."""
    rest = [one for one in (flow(), LEARNS) if one.probe != probe]
    missing = Unmeasured(probe=probe, reason="it could not")
    record = cases.record(BUILT, *rest, unmeasured=(missing,))
    assert verdict(record) is Verdict.UNEXAMINED


def lost(acts: bool | None) -> LostGradient:
    """A parameter whose data leaves the graph in Net.helper."""
    return LostGradient(
        path=cases.PATH,
        symbol="Net.helper",
        line=10,
        operation="item",
        code="",
        parameters=("gate.weight",),
        acts=acts,
        through_python=True,
        twin="",
        written=(),
        trail_from="gate.weight",
        trail=(),
    )


def found_in(tmp_path: Path, record: ModelRecord, rule: str) -> list[Finding]:
    """A confirmed finding of this rule in Net.helper that no text raised."""
    place = Place(path=cases.PATH, symbol="Net.helper", line=10)
    conviction = cases.conviction(Status.CONFIRMED, rule=rule, place=place)
    one = Judged(record=record, convictions=(conviction,))
    return join(cases.project(tmp_path), [], [one], live=True)


def test_a_gradient_that_ends_at_a_line_is_untrainable(tmp_path: Path) -> None:
    """Where a rule confirms it; a number for a log makes nothing untrainable."""
    measurement = dataclasses.replace(flow().measurement, lost=(lost(acts=True),))
    record = cases.record(BUILT, cases.measured("gradient-flow", measurement), LEARNS)
    found, reasons = verdict_of(record, found_in(tmp_path, record, "GD102"))
    assert found is Verdict.UNTRAINABLE
    assert [one.rule for one in reasons] == ["GD102"]
    assert "gate.weight" in reasons[0].text
    assert verdict(record) is Verdict.TRAINABLE


@pytest.mark.parametrize("rule", ["GD103", "GD104"])
def test_weights_that_no_optimizer_reaches_are_untrainable(tmp_path: Path, rule: str) -> None:
    """They take part in the loss, and never change."""
    record = cases.record(BUILT, flow(), LEARNS)
    found, reasons = verdict_of(record, found_in(tmp_path, record, rule))
    assert (found, [one.rule for one in reasons]) == (Verdict.UNTRAINABLE, [rule])


@pytest.mark.parametrize("stage", ["backward", "forward"])
def test_a_write_that_breaks_the_step_is_its_reason(tmp_path: Path, stage: str) -> None:
    """By its line; the place that fails is another."""
    crash = dataclasses.replace(CRASH, stage=stage, symbol="Net.helper", line=10)
    measurement = dataclasses.replace(flow().measurement, crash=crash)
    record = cases.record(BUILT, cases.measured("gradient-flow", measurement))
    found, reasons = verdict_of(record, found_in(tmp_path, record, "GD105"))
    assert (found, [one.rule for one in reasons]) == (Verdict.UNTRAINABLE, ["GD105"])
    assert f"{cases.PATH}:10" in reasons[0].text
