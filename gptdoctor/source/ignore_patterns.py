"""Patterns of `.gitignore` files, and of our own settings, which are read in the same way.

An entry is held against them by itself: a folder that is ignored is never entered, so that
nothing in it is asked about.  Where folders are taken back by "!*/", pathspec takes all that is in
them back, and more is read than git would keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# The name of a file or a folder, wherever it lies, with "/" where only a folder is meant.
_NAME = re.compile(r"[^*?\[\\/!#\s]+/?")
# The same with stars in it, of which two beside each other mean something else.
_STARRED = re.compile(r"(?!.*\*\*)[^?\[\\/!#\s]+")


class IgnorePatterns:
    """The patterns of one file or one setting, compiled when they are first asked for."""

    def __init__(self, lines: Iterable[str]) -> None:
        # "!" and "/" by themselves are no patterns to git, and an error to the library.
        kept = (line for line in lines if line.strip(" \t\r!/"))
        self._lines = tuple(line for line in kept if not line.startswith("#"))
        # Names, as the usual ones are, need no library to be told from others; it takes as long to
        # be imported (50 ms) as to walk 2,500 files, and again as long to tell them.
        names = {line for line in self._lines if _NAME.fullmatch(line)}
        stars = [line for line in self._lines if line not in names]
        self._plain = all(map(_STARRED.fullmatch, stars))
        self._names = frozenset(names)
        self._stars = re.compile("|".join(map(translate, stars))) if stars and self._plain else None

    def __bool__(self) -> bool:
        """Whether there is any pattern."""
        return bool(self._lines)

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec

        return GitIgnoreSpec.from_lines(self._lines)

    def says(self, path: str, *, folder: bool) -> bool | None:
        """Whether an entry is ignored, or taken back; None where no pattern matches.

        `path` is seen from the folder that the patterns belong to, with "/".
        """
        name = path[path.rfind("/") + 1 :]
        if self._plain:
            said = name in self._names or (folder and f"{name}/" in self._names)
            return said or bool(self._stars and self._stars.match(name)) or None
        end = "/" if folder else ""
        above = path.removesuffix(name)
        if above and self._spec.check_file(above).include:
            path = name  # in a folder that was named, what is said of it says nothing
        return self._spec.check_file(path + end).include

    def covers(self, path: str) -> bool:
        """Whether a file is ignored, by itself or with a folder that it lies in."""
        parts = path.split("/")
        for end in range(1, len(parts)):
            if self.says("/".join(parts[:end]), folder=True):
                return True
        return bool(self.says(path, folder=False))
