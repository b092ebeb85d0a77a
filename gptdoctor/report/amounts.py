"""Numbers, names and units in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gptdoctor.core.findings import Value

NAMES_SHOWN = 4  # of a list in a sentence; more are told by their number


def count(number: int, noun: str, plural: str = "") -> str:
    """How many of something: "1 file", "1,024 files", "no files"."""
    many = plural or (f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s")
    return f"{whole(number) if number else 'no'} {noun if number == 1 else many}"


def whole(number: int) -> str:
    """A count with its thousands apart."""
    return f"{number:,}"


def thousands(number: int) -> str:
    """A count of parameters as people name models by it: "950k", "124M", "6.7B"."""
    for unit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            share = number / unit
            return f"{share:.1f}{letter}" if share < 10 else f"{share:.0f}{letter}"
    return str(number)


def size_in_bytes(number: int) -> str:
    """An amount of memory in decimal units: "512 bytes", "30 kB", "0.5 GB", "107 GB"."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number * 2 >= unit:
            share = number / unit
            return f"{share:.1f} {name}" if share < 10 else f"{share:,.0f} {name}"
    return f"{number} bytes"


def decimal(number: float) -> str:
    """A measured number with three significant digits, without an exponent where that is short."""
    if math.isnan(number):
        return "not a number"
    if math.isinf(number):
        return "infinite" if number > 0 else "minus infinite"
    if number == 0:
        return "0"
    if not 1e-3 <= abs(number) < 1e6:
        return f"{number:.1e}".replace("e-0", "e-").replace("e+0", "e")
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def percent(share: float) -> str:
    """A share of one as a percentage."""
    return f"{share:.0%}" if share == 0 or share >= 0.01 else f"{share:.1%}"


def duration(seconds: float) -> str:
    """A time that a person waits or a step takes."""
    if seconds < 1:
        return f"{decimal(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def some(names: Sequence[object], shown: int = NAMES_SHOWN) -> str:
    """A list of names, the first few of them."""
    rest = len(names) - shown
    first = ", ".join(str(name) for name in names[:shown])
    return f"{first} and {whole(rest)} more" if rest > 0 else first


def joined(parts: Sequence[str], last: str = "and") -> str:
    """Parts as a sentence lists them: "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def capital(text: str) -> str:
    """The text with a capital at its beginning, unless it begins with code."""
    return text[:1].upper() + text[1:]


class Values:
    """Measured values by their keys; a missing one, or one of another type, is None or empty.

    Result files may be from another version, and rules that nobody has written yet may give
    what they like: a report must not fail on them.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str) -> str | None:
        """A text that is not empty."""
        value = self._values.get(key)
        return value if isinstance(value, str) and value else None

    def integer(self, key: str) -> int | None:
        """A whole number."""
        value = self._values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, key: str) -> float | None:
        """Any number."""
        value = self._values.get(key)
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if known and isinstance(value, int | float) else None

    def flag(self, key: str) -> bool | None:
        """True or false."""
        value = self._values.get(key)
        return value if isinstance(value, bool) else None

    def names(self, key: str) -> tuple[str, ...]:
        """A list, its members as texts."""
        value = self._values.get(key)
        return tuple(str(member) for member in value) if isinstance(value, tuple) else ()

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers."""
        value = self._values.get(key)
        if not isinstance(value, tuple):
            return ()
        return tuple(float(member) for member in value if isinstance(member, int | float))
