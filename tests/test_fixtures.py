"""The long cases: what is marked is reported on its line, what is healthy stays silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT, check_json, expected_in

FIXTURES = ROOT / "fixtures"
CASES = sorted(FIXTURES.glob("*/*/*.py"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """One static scan of all fixtures."""
    return check_json("--static", "fixtures")


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_fixture_shows_what_it_says(document: dict[str, Any], file: Path) -> None:
    """Sick lines are reported, each once, and no other line is; `healthy` and `healed` have none."""
    path = file.relative_to(ROOT).as_posix()
    found = {(one["rule"], one["line"]) for one in document["findings"] if one["path"] == path}
    own = {rule for rule, _ in expected_in(file)} or {code_of(file)}
    if file.stem in ("healed", "healthy"):
        assert not expected_in(file)
    assert {one for one in found if one[0] in own} == {
        one for one in expected_in(file) if one[0] in own
    } - LIVE_ONLY.get(file.name, set())


# What only a run can tell from its twin is suspected in both.
LIVE_ONLY: dict[str, set[tuple[str, int]]] = {}


def code_of(file: Path) -> str:
    """The rule that a fixture's folder is about."""
    from gptdoctor.catalog import all_defects

    name = file.parent.name.replace("_", "-")
    return next((one.code for one in all_defects() if one.name == name), "")
