"""What the scan finds of the specimens in other people's spellings, one by one."""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.scanning.spellings import SPECIMENS, Specimen, specimens

NOT_YET = frozenset((SPECIMENS / "missed.txt").read_text().split())


@cache
def scanned_specimens() -> dict[str, Specimen]:
    """All specimens, scanned once."""
    return {f"{one.file.parent.name}/{one.file.stem}": one for one in specimens()}


@pytest.mark.xdist_group("spellings")
def test_what_was_found_is_found() -> None:
    """All but those listed; and one that is found now leaves the list."""
    missed = {name for name, one in scanned_specimens().items() if one.sick and not one.own}
    assert missed == NOT_YET


@pytest.mark.xdist_group("spellings")
def test_nothing_is_told_of_look_alikes() -> None:
    """They hold no defect of any rule."""
    told = {name: one.found for name, one in scanned_specimens().items() if not one.sick}
    assert {name for name, found in told.items() if found} == set()
