"""Two changes of one text, put together where that is certain."""

from __future__ import annotations

import pytest

from gptdoctor.repair.weave import woven

BASE = "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("A\nb\nc\nd\n", "a\nb\nc\nD\n", "A\nb\nc\nD\n"),
        ("A\nb\nc\nd\n", "a\nB\nc\nd\n", "A\nB\nc\nd\n"),
        ("new\na\nb\nc\nd\n", "a\nb\nd\n", "new\na\nb\nd\n"),
        ("new\na\nB\nc\nd\n", "new\na\nb\nc\nD\n", "new\na\nB\nc\nD\n"),
        ("a\nb\nc\nd\ne\n", "A\nb\nc\nd\n", "A\nb\nc\nd\ne\n"),
        ("A\nb\nc\nd\n", BASE, "A\nb\nc\nd\n"),
    ],
    ids=["apart", "neighbours", "an insertion", "the same import", "at the end", "no change"],
)
def test_both_changes_are_there(one: str, other: str, both: str) -> None:
    """In either order."""
    assert woven(BASE, one, other) == both
    assert woven(BASE, other, one) == both


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a\nB\nc\nd\n", "a\nbb\nc\nd\n"),
        ("a\nB\nC\nd\n", "a\nb\nCC\nD\n"),
        ("a\nb\n1\nc\nd\n", "a\nb\n2\nc\nd\n"),
        ("a\nb\n1\nc\nd\n", "a\nB\nc\nd\n"),
    ],
    ids=["one line", "overlap", "two insertions at one place", "an insertion at a change"],
)
def test_what_touches_is_not_put_together(one: str, other: str) -> None:
    """Nobody can say what both of them come to."""
    assert woven(BASE, one, other) is None
    assert woven(BASE, other, one) is None


def test_among_lines_that_are_alike_the_changed_one_is_told() -> None:
    """A comparison alone might find the first line of the one text in the second."""
    assert woven("x\nx\nx\n", "Y\nx\nx\n", "x\nZ\nx\n") == "Y\nZ\nx\n"


def test_line_ends_are_kept() -> None:
    """Each its own."""
    assert woven("a\r\nb\r\nc", "A\r\nb\r\nc", "a\r\nb\r\nC") == "A\r\nb\r\nC"
