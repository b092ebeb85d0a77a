"""What fails a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gptdoctor.config import Options
from gptdoctor.core.diagnosis import (
    Environment,
    Examination,
    ModelDiagnosis,
    SourceError,
    Verdict,
)
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.diagnose.gate import gate
from gptdoctor.diagnose.join import Judged, join
from tests.diagnose import cases

ENVIRONMENT = Environment(
    python="3.11", executable="", torch="2.13.0", platform="Linux", seed=0, live=True
)


def examination(*findings: Finding, **changes: Any) -> Examination:
    """An examination with these findings."""
    fields: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "models": (),
        "findings": findings,
        "errors": (),
        "skipped": (),
        "files": 1,
        "seconds": 1.0,
    }
    return Examination(**(fields | changes))


def model(verdict: Verdict, *rules: str | None) -> ModelDiagnosis:
    """A model whose verdict rests on these rules."""
    return ModelDiagnosis(
        name="Net",
        path=cases.PATH,
        line=5,
        verdict=verdict,
        reasons=tuple("because" for _ in rules),
        reason_rules=rules,
    )


def finding(tmp_path: Path, status: Status) -> Finding:
    """A critical finding with this status."""
    convictions = () if status is Status.SUSPECTED else (cases.conviction(status),)
    flow = cases.measured("gradient-flow", cases.learning(), 9)
    one = Judged(record=cases.record(flow), convictions=convictions)
    return join(cases.project(tmp_path), [cases.suspicion()], [one], live=True)[0]


@pytest.mark.parametrize(
    ("status", "code"), [(Status.CONFIRMED, 1), (Status.SUSPECTED, 1), (Status.REFUTED, 0)]
)
def test_refuted_findings_never_fail(tmp_path: Path, status: Status, code: int) -> None:
    """Confirmed and suspected findings count, refuted ones do not."""
    assert gate(examination(finding(tmp_path, status)), Options()).exit_code == code


def test_fail_on_is_the_least_severity_that_counts(tmp_path: Path) -> None:
    """A critical finding passes no gate."""
    found = finding(tmp_path, Status.CONFIRMED)
    for severity in Severity:
        assert gate(examination(found), Options(fail_on=severity)).exit_code == 1


def test_ignored_findings_do_not_count(tmp_path: Path) -> None:
    """`--ignore` takes the finding out of the gate."""
    found = finding(tmp_path, Status.CONFIRMED)
    assert gate(examination(found), Options(ignore=("GD1",))).exit_code == 0
    assert gate(examination(found), Options(select=("GD2",))).exit_code == 0
    assert gate(examination(found), Options(select=("GD101",), ignore=("GD1",))).exit_code == 1


@pytest.mark.parametrize(
    ("rules", "ignore", "code"),
    [
        (("GD101",), (), 1),
        (("GD101",), ("GD101",), 0),
        (("GD101", None), ("GD101",), 1),
        ((None,), ("GD",), 1),
    ],
    ids=["not ignored", "its rule is ignored", "one reason is left", "a measured fact"],
)
def test_an_untrainable_model_fails_unless_all_its_reasons_are_ignored(
    rules: tuple[str | None, ...], ignore: tuple[str, ...], code: int
) -> None:
    """Verdicts are facts; the gate may be told to live with their reasons."""
    sick = examination(models=(model(Verdict.UNTRAINABLE, *rules),))
    assert gate(sick, Options(ignore=ignore)).exit_code == code


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)])
def test_unexamined_models_fail_a_strict_run(strict: bool, code: int) -> None:
    """Without --strict what could not be examined passes, and says so."""
    unknown = examination(models=(model(Verdict.UNEXAMINED, None),))
    assert gate(unknown, Options(strict=strict)).exit_code == code


def test_a_file_that_cannot_be_read_fails() -> None:
    """A syntax error among other files is a result."""
    error = SourceError(path="bad.py", line=1, kind="syntax-error", message="invalid syntax")
    assert gate(examination(errors=(error,)), Options()).exit_code == 1


def test_exit_zero_wins_but_the_reasons_stay(tmp_path: Path) -> None:
    """`--exit-zero` is for looking, not for hiding."""
    result = gate(examination(finding(tmp_path, Status.CONFIRMED)), Options(exit_zero=True))
    assert result.exit_code == 0
    assert result.reasons
