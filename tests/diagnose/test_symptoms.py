"""One root has many symptoms: what it explains is told under it, and nothing else is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gptdoctor.catalog import all_defects, defect_named
from gptdoctor.core.findings import Conviction, Finding, Place, Status
from gptdoctor.defect import Defect
from gptdoctor.diagnose import symptoms
from gptdoctor.diagnose.join import Judged, join
from tests.diagnose import cases


@pytest.fixture(autouse=True)
def explaining(monkeypatch: pytest.MonkeyPatch) -> None:
    """GD101 explains GD302, and GD302 explains GD401."""
    above = {"GD101": ("GD302",), "GD302": ("GD401",)}

    def named(code: str) -> Defect:
        return dataclasses.replace(defect_named(code), explains=above.get(code, ()))

    monkeypatch.setattr(symptoms, "defect_named", named)


def conviction(rule: str, symbol: str = "Net.helper", line: int | None = 9) -> Conviction:
    """A confirmation in TEXT."""
    place = Place(path=cases.PATH, symbol=symbol, line=line)
    return cases.conviction(Status.CONFIRMED, rule=rule, place=place, message=f"{rule} it is")


def joined(tmp_path: Path, *convictions: Conviction) -> list[Finding]:
    """The findings of one model."""
    judged = Judged(record=cases.record(), convictions=convictions)
    return join(cases.project(tmp_path), [], [judged], live=True)


def test_a_symptom_is_told_under_its_root(tmp_path: Path) -> None:
    """One finding, which names what it explains."""
    [found] = joined(tmp_path, conviction("GD101"), conviction("GD302", "Net.other", 12))
    assert found.rule == "GD101"
    assert [(one.rule, one.message) for one in found.symptoms] == [("GD302", "GD302 it is.")]


def test_what_symptoms_explain_is_told_under_the_root_of_all(tmp_path: Path) -> None:
    """The chain has one end."""
    convictions = [conviction(rule, line=9) for rule in ("GD101", "GD302", "GD401")]
    [found] = joined(tmp_path, *convictions)
    assert {one.rule for one in found.symptoms} == {"GD302", "GD401"}


@pytest.mark.parametrize(
    ("line", "expected"), [(12, ["GD101", "GD302"]), (None, ["GD101"])], ids=["a line", "somewhere"]
)
def test_a_line_of_another_class_has_a_cause_of_its_own(
    tmp_path: Path, line: int | None, expected: list[str]
) -> None:
    """What is known of no place but the model may well come from the root."""
    other = conviction("GD302", "Mixture.forward", line)
    found = joined(tmp_path, conviction("GD101"), other)
    assert sorted(one.rule for one in found) == expected


def test_what_a_defect_does_to_the_whole_model_shows_in_other_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the root says so of that very symptom."""

    def named(code: str) -> Defect:
        anywhere = ("GD302",) if code == "GD101" else ()
        return dataclasses.replace(defect_named(code), explains=(), explains_elsewhere=anywhere)

    monkeypatch.setattr(symptoms, "defect_named", named)
    other = conviction("GD302", "Mixture.forward", 12)
    [found] = joined(tmp_path, conviction("GD101"), other)
    assert [one.rule for one in found.symptoms] == ["GD302"]


def test_what_the_text_shows_stays_a_finding(tmp_path: Path) -> None:
    """Two defects that can be read are two defects."""
    suspicion = cases.suspicion(rule="GD302", symbol="Net.helper", line=9)
    judged = Judged(record=cases.record(), convictions=(conviction("GD101"), conviction("GD302")))
    found = join(cases.project(tmp_path), [suspicion], [judged], live=True)
    assert sorted(one.rule for one in found) == ["GD101", "GD302"]


def test_another_model_that_has_not_the_root_keeps_the_symptom(tmp_path: Path) -> None:
    """A root explains only what the same model confirms."""
    first = Judged(record=cases.record(), convictions=(conviction("GD101"),))
    second = Judged(record=cases.record(name="Net2"), convictions=(conviction("GD302"),))
    found = join(cases.project(tmp_path), [], [first, second], live=True)
    assert sorted(one.rule for one in found) == ["GD101", "GD302"]


def test_explanations_lead_to_known_rules_and_never_in_a_circle() -> None:
    """What would explain itself would vanish."""
    above = {
        defect.code: (*defect.explains, *defect.explains_elsewhere) for defect in all_defects()
    }
    assert {code for codes in above.values() for code in codes} <= set(above)

    def below(code: str, path: tuple[str, ...] = ()) -> None:
        assert code not in path
        for one in above[code]:
            below(one, (*path, code))

    for code in above:
        below(code)
