"""The proofs of the mutation benchmark: a test has to fail on the mutant and pass on its base."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.mutations import proof_runs
from benchmarks.mutations.cases import Case
from benchmarks.mutations.host import Host
from benchmarks.mutations.proof_runs import apart
from benchmarks.mutations.proofs import Proof, table
from benchmarks.mutations.registry import hosts
from gptdoctor.core.findings import Evidence, Finding, Location, Severity, Status
from gptdoctor.prove.written import HealthTest

HOST: Host = hosts()[0]
FINDING = Finding(
    rule="GD501",
    name="unresolved-import",
    severity=Severity.CRITICAL,
    location=Location(path="net.py", line=3, column=1, end_line=3, end_column=2),
    symbol="",
    message="",
    excerpt="",
    evidence=Evidence(status=Status.CONFIRMED),
    model=None,
)


def proof(mutant: str | None, base: str | None, *, raises: str = "", why: str = "") -> Proof:
    """A test that ended so on the mutant and so on its base."""
    case = Case(host=HOST, operator=None, source="")
    test = HealthTest(name="test_it", finding=FINDING, body="", raises=raises)
    return Proof(case=case, finding=FINDING, test=test, on_mutant=mutant, on_base=base, why=why)


@pytest.mark.parametrize(
    ("one", "trouble"),
    [
        (proof("AssertionError: no", ""), ""),
        (proof("ImportError: no", "", raises="ImportError"), ""),
        (proof("ImportError: no", ""), "on the mutant: ImportError: no"),
        (proof("", ""), "on the mutant: it passes"),
        (proof("AssertionError: no", "KeyError: x"), "on the base: KeyError: x"),
        (proof(None, "", why="it ended itself"), "on the mutant: it ended itself"),
    ],
)
def test_only_a_failure_for_the_stated_reason_and_a_pass_are_right(
    one: Proof, trouble: str
) -> None:
    """What fails for another reason shows nothing."""
    assert one.trouble == trouble


def test_each_exception_is_told_with_its_rule() -> None:
    """Counts by rule, and why."""
    lines = list(table([proof("AssertionError: no", ""), proof("", "")]))
    assert "| GD501 | 2 | 2 | 1 | 2 |" in lines
    assert any("GD501 at line 3: on the mutant: it passes" in line for line in lines)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_file_of_tests_runs_beside_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each test by its end; a file that cannot be read, or that hangs, costs nobody else."""
    (tmp_path / "net.py").write_text("SIZE = 3\n")
    text = (
        "from net import SIZE\n"
        "def test_right():\n    assert SIZE == 3\n"
        "def test_wrong():\n    assert SIZE == 4, 'no'\n"
    )
    case = {"folder": str(tmp_path), "text": text, "names": ["test_right", "test_wrong"]}
    assert apart(case) == {"test_right": "", "test_wrong": "AssertionError: no"}
    assert apart({**case, "text": "import nowhere"}) == {
        "": "ModuleNotFoundError: No module named 'nowhere'"
    }
    assert apart({**case, "text": "import os; os._exit(1)"}) == {"": "it ended itself"}
    monkeypatch.setattr(proof_runs, "SECONDS", 0.2)
    assert apart({**case, "text": "import time; time.sleep(60)"}) == {"": "no answer in 0.2 s"}
