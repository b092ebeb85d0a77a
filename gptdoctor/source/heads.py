"""The names that a file defines and imports at the beginning of its lines, read without a parse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

# With the end of the line before, which is what a search finds fastest; most lines are indented.
_HEAD = re.compile(
    rb"\n(?![ \n])(?:(?:class|def|async def)[ \t]+(\w+)|(\w+)[ \t]*(?::[^=\n]*)?=(?!=))"
)
_WORD = re.compile(r"\w+")


def heads_of(file: Path, text: str | None = None) -> frozenset[str]:
    """The names of classes, functions and variables whose definition begins a line.

    A text in quotes may hold such a line too; who asks whether a name is missing is silent then.
    """
    data = bytes_of(file) if text is None else text.encode(errors="replace")
    return frozenset(b" ".join(names_defined(data)).decode(errors="replace").split())


def names_defined(data: bytes) -> set[bytes]:
    """The same of the bytes of a file."""
    return {one or other for one, other in _HEAD.findall(b"\n" + data)}


def imported_words(file: Path) -> frozenset[str]:
    """The words of the statements of a file that begin a line with `import` or `from`."""
    statements = b"\n".join(import_statements(bytes_of(file)))
    return frozenset(_WORD.findall(statements.decode(errors="replace")))


def bytes_of(file: Path) -> bytes:
    """What is in a file; nothing where it cannot be read."""
    try:
        with open(file, "rb", buffering=0) as source:  # noqa: PTH123  thousands of them
            return source.read()
    except OSError:
        return b""


def import_statements(data: bytes) -> Iterator[bytes]:
    r"""Each import statement, and what follows it up to the end of its last line.

    To look for the word `import`, which none is without, takes a tenth of a look at each line.
    A line that is joined to the one before, `from x \`, begins there.
    """
    data = b"\n" + data
    at = data.find(b"import")
    while at >= 0:
        begin, end = data.rfind(b"\n", 0, at) + 1, _end_of_line(data, at)
        before = data[begin:at].strip()
        if not before or before.startswith(b"from"):
            opened = data.find(b"(", at, end)
            end = end if opened < 0 else max(end, data.find(b")", opened))
            if not before and data[max(begin - 3, 0) : begin].rstrip().endswith(b"\\"):
                begin = data.rfind(b"\n", 0, begin - 1) + 1
            yield data[begin:end]
        at = data.find(b"import", end)


def _end_of_line(data: bytes, at: int) -> int:
    """Where the line ends that a place is in, with those that a backslash joins to it."""
    end = data.find(b"\n", at)
    while end >= 0 and data[at:end].rstrip().endswith(b"\\"):
        end = data.find(b"\n", end + 1)
    return len(data) if end < 0 else end
