"""The names that a file defines at the beginning of its lines, read without a parse."""

from __future__ import annotations

import re
from pathlib import Path

_HEAD = re.compile(
    rb"^(?:(?:class|def|async def)[ \t]+(\w+)|(\w+)[ \t]*(?::[^=\n]*)?=(?!=))", re.MULTILINE
)


def heads_of(file: Path, text: str | None = None) -> frozenset[str]:
    """The names of classes, functions and variables whose definition begins a line.

    A text in quotes may hold such a line too; who asks whether a name is missing is silent then.
    """
    try:
        data = file.read_bytes() if text is None else text.encode(errors="replace")
    except OSError:
        return frozenset()
    return frozenset(name.decode(errors="replace") for name in names_defined(data))


def names_defined(data: bytes) -> frozenset[bytes]:
    """The same of the bytes of a file."""
    return frozenset(one.group(1) or one.group(2) for one in _HEAD.finditer(data))
