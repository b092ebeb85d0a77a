"""Patterns of `.gitignore` files, and of our own settings, which are read in the same way.

The rules are git's (gitignore(5)): the last line that matches decides, "!" takes back, a "/" at
the end means folders, one before that binds the pattern to its own folder, "**" is any number of
folders.  An entry is held against them by itself: a folder that is ignored is never entered, so
that nothing in it is asked about.

Not by a library: pathspec 1.1 takes as long to be imported (50 ms) as the walk of 2,500 files may
take as a whole, and as long again to hold each path against each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True)
class _Line:
    """One pattern."""

    text: str  # without the marks before and behind it
    regex: re.Pattern[str]
    takes_back: bool
    folders_only: bool
    by_path: bool  # held against the path below its folder, and not against the name alone

    def matches(self, path: str, name: str, *, folder: bool) -> bool:
        if self.folders_only and not folder:
            return False
        return self.regex.fullmatch(path if self.by_path else name) is not None


class IgnorePatterns:
    """The patterns of one file or one setting, compiled once."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = [line for text in lines if (line := _parse(text)) is not None]
        # Most lines are plain names or "*.ending", and most entries match none: what may match
        # at all is found out at once, and only then the lines are read one by one.
        names = [line for line in self._lines if not line.by_path and _is_name(line.text)]
        ends = [line for line in self._lines if not line.by_path and _is_ending(line.text)]
        self._names = frozenset(line.text for line in names)
        self._ends = tuple(line.text[1:] for line in ends)
        self._others = [line for line in self._lines if line not in {*names, *ends}]

    def __bool__(self) -> bool:
        """Whether there is any pattern."""
        return bool(self._lines)

    def says(self, path: str, *, folder: bool) -> bool | None:
        """Whether an entry is ignored, or taken back; None where no pattern matches.

        `path` is seen from the folder that the patterns belong to, with "/".
        """
        name = path[path.rfind("/") + 1 :]
        likely = name in self._names or name.endswith(self._ends)
        if not likely and not any(one.matches(path, name, folder=folder) for one in self._others):
            return None
        for line in reversed(self._lines):
            if line.matches(path, name, folder=folder):
                return not line.takes_back
        return None

    def covers(self, path: str) -> bool:
        """Whether a file is ignored, by itself or with a folder that it lies in."""
        parts = path.split("/")
        for end in range(1, len(parts)):
            if self.says("/".join(parts[:end]), folder=True):
                return True
        return bool(self.says(path, folder=False))


def _is_name(text: str) -> bool:
    return not WILD.search(text)


def _is_ending(text: str) -> bool:
    return text.startswith("*") and bool(text[1:]) and _is_name(text[1:])


def _parse(text: str) -> _Line | None:
    """One line; None for an empty one, a comment, and what git takes for no pattern."""
    text = re.sub(r"(?<!\\) +$", "", text.rstrip("\r\n"))
    if not text or text.startswith("#"):
        return None
    takes_back = text.startswith("!")
    text = text[takes_back:]
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    by_path = "/" in text
    text = text.removeprefix("/")
    if not text:
        return None
    try:
        regex = re.compile(_path_regex(text) if by_path else _part_regex(text), re.DOTALL)
    except re.error:  # a class that is no class, "[z-a]": it matches nothing
        return None
    return _Line(text, regex, takes_back, folders_only, by_path)


def _path_regex(pattern: str) -> str:
    """The expression of a pattern with folders in it."""
    parts = pattern.split("/")
    found = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            found += ".+" if last else "(?:[^/]+/)*"
        else:
            found += _part_regex(part) + ("" if last else "/")
    return found


def _part_regex(part: str) -> str:
    """The expression of one name with wildcards."""
    found, index = "", 0
    while index < len(part):
        one = part[index]
        index += 1
        if one == "*":
            found += "[^/]*"
        elif one == "?":
            found += "[^/]"
        elif one == "[":
            expression, index = _class_regex(part, index)
            found += expression
        else:
            if one == "\\" and index < len(part):
                one, index = part[index], index + 1
            found += re.escape(one)
    return found


def _class_regex(part: str, index: int) -> tuple[str, int]:
    """The expression of "[...]" and where it ends; `index` is behind the bracket."""
    end = part.find("]", index + (2 if part[index : index + 1] in ("!", "^") else 1))
    if end < 0:
        raise re.error("a class without an end")
    inner = part[index:end].replace("\\", "\\\\")
    if inner.startswith(("!", "^")):
        return f"(?!/)[^{inner[1:].replace('[', chr(92) + '[')}]", end + 1
    return f"(?!/)[{inner.replace('[', chr(92) + '[')}]", end + 1
