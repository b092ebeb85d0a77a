"""The long cases: what is marked is reported on its line, what is healthy stays silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gptdoctor.catalog import all_defects, defect_named
from tests.commands import ROOT, check_json, expected_in

FIXTURES = ROOT / "fixtures"
# The text cannot tell this file from its sick twin: only a run refutes it (tests/live).
ONLY_A_RUN_CAN_TELL = "only_compared.py"
CASES = sorted(
    file
    for file in FIXTURES.glob("*/*/*.py")
    if file.name != ONLY_A_RUN_CAN_TELL and file.parents[1].name not in ("variants", "styles")
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """One static scan of all fixtures."""
    return check_json("--static", "fixtures")


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_fixture_shows_what_it_says(document: dict[str, Any], file: Path) -> None:
    """Sick lines are reported, each once, and no other line is; healthy files have none.

    What only a run shows is no matter of this scan: tests/live/test_shown_by_a_run.py.
    """
    path = file.relative_to(ROOT).as_posix()
    expected = {(rule, line) for rule, line in expected_in(file, in_text=True) if is_static(rule)}
    own = {rule for rule, _ in expected} or {code_of(file)}
    found = [(one["rule"], one["line"]) for one in document["findings"] if one["path"] == path]
    if file.stem in ("healed", "healthy"):
        assert not expected
    assert sorted(one for one in found if one[0] in own) == sorted(expected)


def is_static(rule: str) -> bool:
    """Whether no run is needed to see what breaks a rule."""
    defect = defect_named(rule)
    return defect.in_text or defect.of_comments


def code_of(file: Path) -> str:
    """The rule that a fixture's folder is about."""
    name = file.parent.name.replace("_", "-")
    return next((one.code for one in all_defects() if one.name == name), "")
