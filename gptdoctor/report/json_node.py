"""One object of a result file, read field by field, with its place for complaints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NoReturn, TypeVar

from gptdoctor.core.errors import ResultFileError
from gptdoctor.core.findings import Value
from gptdoctor.report.json_values import from_json

HINT = "write it with: gptdoctor check --output-format json > result.json"
_Word = TypeVar("_Word", bound=Enum)


class Node:
    """A JSON object and its place in the document, read field by field.

    A field with a fallback may be missing: it was added to the contract after others.
    """

    def __init__(self, content: object, place: str = "") -> None:
        if not isinstance(content, Mapping):
            refuse(place or "the document", "is not an object")
        self._content: Mapping[str, object] = content
        self._place = place

    def has(self, key: str) -> bool:
        """Whether a field is there and not null."""
        return self._content.get(key) is not None

    def text(self, key: str, fallback: str | None = None) -> str:
        """A text."""
        value = self._get(key, fallback)
        return value if isinstance(value, str) else refuse(self._at(key), "is not a text")

    def optional_text(self, key: str) -> str | None:
        """A text or null."""
        return self.text(key) if self.has(key) else None

    def integer(self, key: str, fallback: int | None = None) -> int:
        """A whole number."""
        value = self._get(key, fallback)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return refuse(self._at(key), "is not a whole number")

    def number(self, key: str, fallback: float | None = None) -> float:
        """Any number."""
        value = self._get(key, fallback)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        return refuse(self._at(key), "is not a number")

    def flag(self, key: str, fallback: bool | None = None) -> bool:
        """True or false."""
        value = self._get(key, fallback)
        return value if isinstance(value, bool) else refuse(self._at(key), "is not true or false")

    def word(self, key: str, kind: type[_Word]) -> _Word:
        """One of the words of an enumeration."""
        text = self.text(key)
        known = {str(member.value): member for member in kind}
        return known.get(text) or refuse(self._at(key), f"is {text!r}, not {_any_of(known)}")

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where it is missing."""
        members = self._list(key)
        if not all(isinstance(member, str) for member in members):
            refuse(self._at(key), "is not a list of texts")
        return tuple(str(member) for member in members)

    def optional_texts(self, key: str) -> tuple[str | None, ...]:
        """A list of texts and nulls."""
        return tuple(None if member is None else str(member) for member in self._list(key))

    def values(self, key: str) -> dict[str, Value]:
        """Measured values; empty where they are missing."""
        read: dict[str, Value] = {}
        for name, value in self.node(key, {})._content.items():
            try:
                read[name] = from_json(value)
            except ValueError as error:
                refuse(f"{self._at(key)}.{name}", f"is {error}")
        return read

    def node(self, key: str, fallback: object = None) -> Node:
        """An object in this one."""
        return Node(self._get(key, fallback), self._at(key))

    def nodes(self, key: str) -> Iterator[Node]:
        """The objects of a list."""
        for index, member in enumerate(self._list(key)):
            yield Node(member, f"{self._at(key)}[{index}]")

    def _list(self, key: str) -> list[object]:
        value = self._get(key, [])
        return value if isinstance(value, list) else refuse(self._at(key), "is not a list")

    def _get(self, key: str, fallback: object = None) -> object:
        if key not in self._content and fallback is None:
            refuse(self._at(key), "is missing")
        return self._content.get(key, fallback)

    def _at(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key


def _any_of(known: Mapping[str, object]) -> str:
    return f"one of {', '.join(known)}"


def refuse(place: str, complaint: str) -> NoReturn:
    """Say in one sentence what is wrong where."""
    raise ResultFileError(f"not a result of gptdoctor: {place} {complaint}", hint=HINT)
