"""Models in other hands' styles: every planted defect is found, and the repair makes them train."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT, examined, expected_in, gptdoctor

# True of some as well, and mended by no repair: they switch to evaluation to generate and stay
# there, run all experts on all rows, and say nothing of a text that is too long.
UNPLANTED = {"GD409", "GD205", "GD706"}
VARIANTS = ROOT / "fixtures" / "variants"
NAMES = sorted(
    path.name for path in VARIANTS.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))
)
# Each takes half a minute of a processor: by default the one in several files, with most of the
# rules.  Files by themselves, and all of the rules, are repaired in `test_reference_models.py`.
REPAIRED = [
    name if name == "kestrel" else pytest.param(name, marks=pytest.mark.slow) for name in NAMES
]


def sources(place: Path) -> list[Path]:
    """The files of a variant, be it one file or a folder of them."""
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def copied(name: str, folder: Path) -> Path:
    """A copy of a variant in an empty project."""
    place = VARIANTS / name
    copy = folder / name
    if place.is_file():
        shutil.copy(place, copy)
    else:
        shutil.copytree(place, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def planted() -> list[dict[str, Any]]:
    """What is found in all variants where they are."""
    findings: list[dict[str, Any]] = examined(VARIANTS, ROOT)["findings"]
    return findings


@pytest.mark.parametrize("name", NAMES)
def test_planted_defects_are_found(name: str, planted: list[dict[str, Any]]) -> None:
    """Each on its line, and nothing else."""
    expected = {
        (rule, file.relative_to(ROOT).as_posix(), line)
        for file in sources(VARIANTS / name)
        for rule, line in expected_in(file)
    }
    found = {
        (one["rule"], one["path"], one["line"])
        for one in planted
        if one["path"].startswith(f"fixtures/variants/{name}")
        if one["evidence"]["status"] != "refuted" and one["rule"] not in UNPLANTED
    }
    assert found == expected


@pytest.mark.parametrize("name", REPAIRED)
def test_planted_defects_are_repaired(name: str, tmp_path: Path) -> None:
    """After `fix --apply` the model trains and nothing is left at the gate.

    Results are kept in between, as a user's are.
    """
    project, cache = tmp_path / "project", tmp_path / "cache"
    project.mkdir()
    copy = copied(name, project)
    fixed = gptdoctor("fix", "--apply", copy, cache=cache)
    assert fixed.code == 0, fixed.out + fixed.err
    after = gptdoctor("check", "--output-format", "json", copy, cache=cache)
    assert after.code == 0, after.out
    assert {one["verdict"] for one in after.document["models"]} == {"trainable"}
    left = [one for one in after.document["findings"] if one["evidence"]["status"] != "refuted"]
    assert {one["rule"] for one in left} <= UNPLANTED
