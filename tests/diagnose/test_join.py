"""When the text and the run speak of the same thing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gptdoctor.catalog import defect_named
from gptdoctor.core.findings import Conviction, Finding, Place, Status, Suspicion, Value
from gptdoctor.core.measurements.import_dependencies import ImportDependencies
from gptdoctor.core.measurements.record import Measured, Unmeasured
from gptdoctor.core.repairs import Applicability
from gptdoctor.diagnose.join import Judged, join
from tests.diagnose import cases


def joined(
    tmp_path: Path,
    suspicions: list[Suspicion],
    convictions: list[Conviction],
    *measured: Measured,
    unmeasured: tuple[Unmeasured, ...] = (),
) -> list[Finding]:
    """The findings of one model."""
    record = cases.record(*measured, unmeasured=unmeasured)
    one = Judged(record=record, convictions=tuple(convictions))
    return join(cases.project(tmp_path), suspicions, [one], live=True)


def ran(*lines: int) -> tuple[Measured, Measured]:
    """A model that was built, and a gradient-flow that ran these lines."""
    return (
        cases.measured("construction", cases.construction()),
        cases.measured("gradient-flow", cases.learning(), *lines),
    )


def test_a_confirmation_in_the_same_function_confirms(tmp_path: Path) -> None:
    """The finding carries the measurement's numbers and a safe fix."""
    found = joined(tmp_path, [cases.suspicion()], [cases.conviction(Status.CONFIRMED)], *ran(9, 10))
    assert [one.evidence.status for one in found] == [Status.CONFIRMED]
    assert found[0].evidence.values == {"parameters_changed": 2}
    assert found[0].model == "Net"
    assert found[0].fix is not None
    assert found[0].fix.applicability is Applicability.SAFE


def test_a_confirmation_elsewhere_is_a_finding_of_its_own(tmp_path: Path) -> None:
    """What the run shows in another function does not confirm what the text shows in this one."""
    elsewhere = cases.conviction(
        Status.CONFIRMED, place=Place(path=cases.PATH, symbol="Net.other", line=12)
    )
    found = joined(tmp_path, [cases.suspicion()], [elsewhere], *ran(9, 10))
    statuses = {one.location.line: one.evidence.status for one in found}
    assert statuses == {9: Status.SUSPECTED, 12: Status.CONFIRMED}


def test_a_suspicion_that_ran_is_not_said_to_be_out_of_reach(tmp_path: Path) -> None:
    """The probe's harm is at another line: it ran this one, and cannot tell its part."""
    elsewhere = cases.conviction(
        Status.CONFIRMED, place=Place(path=cases.PATH, symbol="Net.other", line=12)
    )
    for lines, reason in (
        ((9, 10, 12), "gradient-flow ran this code and could not settle it"),
        ((12,), "no probe reached this code"),
    ):
        found = joined(tmp_path, [cases.suspicion()], [elsewhere], *ran(*lines))
        assert [one.evidence.reason for one in found if one.location.line == 9] == [reason]


def test_what_only_counts_with_a_suspicion_makes_no_finding(tmp_path: Path) -> None:
    """A conviction that is not `alone` needs the text to have raised it."""
    weak = cases.conviction(Status.CONFIRMED, alone=False)
    assert joined(tmp_path, [], [weak], *ran(9)) == []


@pytest.mark.parametrize(
    ("lines", "status"),
    [((9, 10), Status.REFUTED), ((12,), Status.SUSPECTED)],
    ids=["the place ran", "only another place ran"],
)
def test_a_refutation_must_have_run_the_place(
    tmp_path: Path, lines: tuple[int, ...], status: Status
) -> None:
    """No harm measured says nothing of code that the specimen did not run."""
    general = cases.conviction(Status.REFUTED, place=None)
    found = joined(tmp_path, [cases.suspicion()], [general], *ran(*lines))
    assert [one.evidence.status for one in found] == [status]


def test_a_run_of_a_model_does_not_refute_what_rests_on_its_data(tmp_path: Path) -> None:
    """The labels that a data set gives are no part of what a probe runs."""
    of_data = dataclasses.replace(cases.suspicion(), refutable=False)
    for status in (Status.REFUTED, Status.CONFIRMED):
        found = joined(tmp_path, [of_data], [cases.conviction(status, place=None)], *ran(9, 10))
        expected = Status.SUSPECTED if status is Status.REFUTED else status
        assert [one.evidence.status for one in found] == [expected]


def test_a_run_confirms_at_the_other_lines_that_the_text_knows(tmp_path: Path) -> None:
    """A layer is wrong where it is made, and a run shows it where it is called."""
    made = dataclasses.replace(cases.suspicion(), also_at=frozenset({12}))
    called = Place(path=cases.PATH, symbol="Net.other", line=12)
    shown = cases.conviction(Status.CONFIRMED, place=called)
    found = joined(tmp_path, [made], [shown], *ran(9, 10, 12))
    assert [(one.location.line, one.evidence.status) for one in found] == [(9, Status.CONFIRMED)]


def test_a_confirmation_outweighs_a_refutation(tmp_path: Path) -> None:
    """One harmful run is enough."""
    both = [cases.conviction(Status.REFUTED, place=None), cases.conviction(Status.CONFIRMED)]
    found = joined(tmp_path, [cases.suspicion()], both, *ran(9, 10))
    assert found[0].evidence.status is Status.CONFIRMED


def test_a_suspicion_says_what_kept_the_probe_away(tmp_path: Path) -> None:
    """An unmeasured probe is named with its reason, and the fix becomes a guess."""
    why = Unmeasured(probe="gradient-flow", reason="the model draws lots")
    found = joined(
        tmp_path,
        [cases.suspicion()],
        [],
        cases.measured("construction", cases.construction()),
        unmeasured=(why,),
    )
    assert found[0].evidence.status is Status.SUSPECTED
    assert "the model draws lots" in (found[0].evidence.reason or "")
    assert found[0].fix is not None
    assert found[0].fix.applicability is Applicability.UNSAFE


def test_a_refuted_finding_offers_no_fix(tmp_path: Path) -> None:
    """What does no harm is not repaired unasked."""
    found = joined(
        tmp_path, [cases.suspicion()], [cases.conviction(Status.REFUTED, place=None)], *ran(9)
    )
    assert found[0].fix is None


@pytest.mark.parametrize(
    ("symbol", "concerned"), [("Stranger.__init__", False), ("", True)], ids=["a class", "the file"]
)
def test_an_import_concerns_a_model_with_what_the_file_runs_itself(
    tmp_path: Path, symbol: str, concerned: bool
) -> None:
    """Importing runs the heads of all classes of a file, which are no part of the model."""
    (tmp_path / "neighbour.py").write_text(cases.TEXT)
    seen = cases.suspicion(symbol=symbol)
    place = dataclasses.replace(seen.location, path="neighbour.py")
    seen = dataclasses.replace(seen, location=place)
    imported = ImportDependencies(imported=True, failures=(), seconds=0.1)
    lines = {"neighbour.py": (9,)}
    run = Measured(probe="import-dependencies", measurement=imported, executed=lines)
    found = joined(tmp_path, [seen], [], run)
    assert bool(found[0].models) is concerned


def test_two_models_share_one_finding(tmp_path: Path) -> None:
    """The strongest status counts, and each model keeps its own evidence."""
    first = Judged(
        record=cases.record(*ran(9), name="Net"),
        convictions=(cases.conviction(Status.REFUTED, place=None),),
    )
    second = Judged(
        record=cases.record(*ran(9), name="Net2"),
        convictions=(cases.conviction(Status.CONFIRMED),),
    )
    found = join(cases.project(tmp_path), [cases.suspicion()], [first, second], live=True)
    assert len(found) == 1
    assert found[0].evidence.status is Status.CONFIRMED
    assert found[0].model == "Net2"
    assert [one.evidence.status for one in found[0].models] == [Status.REFUTED, Status.CONFIRMED]


def test_without_a_run_everything_stays_suspected(tmp_path: Path) -> None:
    """A static scan claims nothing more than the text shows."""
    found = join(cases.project(tmp_path), [cases.suspicion()], [], live=False)
    assert found[0].evidence.status is Status.SUSPECTED
    assert "--static" in (found[0].evidence.reason or "")


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [("Net.other", ["GD301"]), ("Mixture.forward", ["GD301", "GD302"])],
    ids=["explained", "another class"],
)
def test_a_symptom_is_folded_under_the_rule_that_explains_it(
    tmp_path: Path, symbol: str, expected: list[str]
) -> None:
    """A crash is no second finding where a transposed gate is confirmed in the same class."""
    root = cases.conviction(Status.CONFIRMED, rule="GD301")
    crash = Place(path=cases.PATH, symbol=symbol, line=12)
    symptom = cases.conviction(Status.CONFIRMED, rule="GD302", place=crash, symptom=True)
    found = joined(tmp_path, [], [symptom, root], *ran(9, 12))
    assert [one.rule for one in found] == expected


@pytest.mark.parametrize(
    ("details", "applicability"),
    [({"defined_in": "vein.py"}, Applicability.SAFE), ({}, Applicability.UNSAFE)],
)
def test_a_fix_that_lacks_what_it_needs_is_offered_as_a_guess(
    tmp_path: Path, details: dict[str, Value], applicability: Applicability
) -> None:
    """An import can be pointed to the module that defines the name only where there is one."""
    place = Place(path=cases.PATH, symbol="", line=1)
    suspicion = dataclasses.replace(
        cases.suspicion(rule="GD501", symbol="", line=1), details=details
    )
    conviction = cases.conviction(Status.CONFIRMED, rule="GD501", place=place)
    judged = Judged(record=cases.record(), convictions=(conviction,))
    [found] = join(cases.project(tmp_path), [suspicion], [judged], live=True)
    assert found.fix is not None
    promise = defect_named("GD501").fix
    assert promise is not None
    assert found.fix.applicability is applicability
    assert found.fix.title == (promise.title if details else promise.guess)
