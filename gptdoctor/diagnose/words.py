"""Numbers and names as the reasons and notes of a diagnosis spell them."""

from __future__ import annotations

from collections.abc import Sequence

NAMES_SHOWN = 4  # of a list in one sentence; more are told by their number


def count(number: int, noun: str) -> str:
    """How many of something: "1 file", "2 files"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def some(names: Sequence[str]) -> str:
    """The first few of a list of names, and how many more there are."""
    rest = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
