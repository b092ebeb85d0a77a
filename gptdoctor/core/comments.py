"""Comments of the user's that are meant for gptdoctor."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Location


@dataclass(frozen=True, kw_only=True)
class MadeOf:
    """A model that a file is a part of."""

    name: str
    path: str  # of the model's own file


@dataclass(frozen=True, kw_only=True)
class IgnoreComment:
    """A comment that asks for rules to be left alone, as the text has it."""

    location: Location  # of the comment itself
    excerpt: str  # the line that it stands on, stripped
    words: tuple[str, ...]  # the rules, as they are written: codes, their beginnings, names
    reason: str
    whole_file: bool
    lines: tuple[int, ...]  # the first and the last that it speaks of, 1-based
    trouble: str = ""  # why it cannot be followed: then it silences nothing
    models: tuple[MadeOf, ...] = ()  # that a run could have shown the rules of

    def covers(self, place: Location) -> bool:
        """Whether what is found at `place` is meant."""
        first, last = self.lines
        mine = place.path == self.location.path and not self.trouble
        return mine and (self.whole_file or first <= place.line <= last)
