"""Models in other hands' styles: every planted defect is found, and the repair makes them train."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT, Done, check_json, expected_in, gptdoctor

# True of some as well, and mended by no repair: they switch to evaluation to generate and stay
# there, and run all experts on all rows.
UNPLANTED = {"GD409", "GD205"}
SECONDS = 600.0  # all of them are repaired by one command
VARIANTS = ROOT / "fixtures" / "variants"
NAMES = sorted(
    path.name for path in VARIANTS.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))
)


Place = tuple[str, str, int]  # rule, file, line


@dataclass(frozen=True)
class Repaired:
    """What was said of all variants before the repair and after it."""

    expected: set[Place]
    before: dict[str, Any]
    fixed: Done
    after: Done


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Repaired:
    """One project of all variants: checked, repaired, and checked again.

    As a user does it, with results kept in between: the repair starts from what the check found.
    """
    project = tmp_path_factory.mktemp("project").resolve()
    cache = tmp_path_factory.mktemp("cache")
    (project / "pyproject.toml").write_text("")
    for name in NAMES:
        copy(VARIANTS / name, project / name)
    expected = {
        (rule, file.relative_to(project).as_posix(), line)
        for file in sorted(project.rglob("*.py"))
        for rule, line in expected_in(file)
    }
    before = check_json(".", cwd=project, cache=cache)
    fixed = gptdoctor("fix", "--apply", ".", cwd=project, cache=cache, seconds=SECONDS)
    after = gptdoctor("check", "--output-format", "json", ".", cwd=project, cache=cache)
    return Repaired(expected, before, fixed, after)


def copy(place: Path, there: Path) -> None:
    """A copy of a variant, be it one file or a folder of them."""
    if place.is_file():
        shutil.copy(place, there)
    else:
        shutil.copytree(place, there, ignore=shutil.ignore_patterns("__pycache__"))


def found_in(document: dict[str, Any], name: str) -> set[Place]:
    """Rule, file and line of what is held against a variant, refuted or not planted apart."""
    return {
        (one["rule"], one["path"], one["line"])
        for one in document["findings"]
        if one["path"].partition("/")[0] == name
        if one["evidence"]["status"] != "refuted" and one["rule"] not in UNPLANTED
    }


@pytest.mark.parametrize("name", NAMES)
def test_planted_defects_are_found_and_repaired(repaired: Repaired, name: str) -> None:
    """Each on its line; after `fix --apply` the model trains and nothing is left."""
    expected = {one for one in repaired.expected if one[1].partition("/")[0] == name}
    assert expected
    assert found_in(repaired.before, name) == expected
    assert repaired.fixed.code == 0, repaired.fixed.out + repaired.fixed.err
    assert found_in(repaired.after.document, name) == set()
    verdicts = {
        one["verdict"]
        for one in repaired.after.document["models"]
        if one["path"].partition("/")[0] == name
    }
    assert verdicts == {"trainable"}


def test_nothing_is_left_at_the_gate(repaired: Repaired) -> None:
    """What passes for all of them passes for each."""
    assert repaired.after.code == 0, repaired.after.out
