"""Two changes of one text put together, where they do not touch."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile


@dataclass(frozen=True, kw_only=True)
class Change:
    """Lines of a text that others take the place of; none of them: an insertion."""

    begin: int
    end: int
    lines: tuple[str, ...]

    def touches(self, other: Change) -> bool:
        """Whether it is not certain what both together come to."""
        first, second = sorted((self, other), key=lambda one: (one.begin, one.end))
        if first.end < second.begin:
            return False
        # One that begins where another ends is certain if neither is an insertion.
        return first.end > second.begin or first.begin == first.end or second.begin == second.end


def woven(base: str, one: str, other: str) -> str | None:
    """The text with the changes of both, None where those touch.

    What both change alike, such as an import that two fixes need, is changed once.
    """
    lines = _lines(base)
    changes = set(_changes(lines, _lines(one)))
    added = [change for change in _changes(lines, _lines(other)) if change not in changes]
    if any(new.touches(old) for new in added for old in changes):
        return None
    for change in sorted(changes.union(added), key=lambda each: each.begin, reverse=True):
        lines[change.begin : change.end] = change.lines
    return "".join(lines)


def _changes(old: list[str], new: list[str]) -> Iterator[Change]:
    """Of what lies between the lines that both texts begin and end with.

    Those are left out first: among lines that are alike, a comparison may hold another one for
    the changed one.
    """
    start = _alike(old, new)
    rest, changed = old[start:], new[start:]
    tail = _alike(rest[::-1], changed[::-1])
    rest, changed = rest[: len(rest) - tail], changed[: len(changed) - tail]
    for kind, begin, end, first, last in SequenceMatcher(None, rest, changed, False).get_opcodes():
        if kind != "equal":
            lines = tuple(changed[first:last])
            yield Change(begin=start + begin, end=start + end, lines=lines)


def _alike(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _lines(text: str) -> list[str]:
    """Lines with their ends; a carriage return by itself ends none."""
    return io.StringIO(text, newline="\n").readlines()
