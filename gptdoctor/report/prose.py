"""Sentences in which some words are code or carry weight, before any format is chosen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Code between backticks, and places in files.
_MARKED = re.compile(r"(`[^`]+`|[\w./-]+\.(?:py|ipynb:cell \d+)(?::\d+)+)")


@dataclass(frozen=True)
class Span:
    """Some words with the role that they play: a key of `theme.STYLES`."""

    text: str
    role: str = "text"
    link: str = ""  # the page that they lead to, where a format knows links


Inline = tuple[Span, ...]


def prose(text: str) -> Inline:
    """A sentence as defects write it: code between backticks, places as "model.py:12"."""
    return tuple(_span(piece) for piece in _MARKED.split(visible(text)) if piece)


def _span(piece: str) -> Span:
    if not _MARKED.fullmatch(piece):
        return Span(piece)
    return Span(piece[1:-1], "code") if piece.startswith("`") else Span(piece, "path")


def literally(text: str, role: str = "text") -> Inline:
    """Text of the user's in which nothing is special."""
    return (Span(visible(text), role),)


def linked(text: str, link: str) -> Inline:
    """Words that lead to another page."""
    return (Span(visible(text), link=link),)


def code(text: str) -> Inline:
    """Text that is code."""
    return literally(text, "code")


def sentence(*parts: str | Inline) -> Inline:
    """Several parts as one; a plain string is read as prose."""
    return tuple(
        span for part in parts for span in (prose(part) if isinstance(part, str) else part)
    )


def listed(parts: Iterable[Inline], separator: str = ", ") -> Inline:
    """Parts with a separator between them."""
    spans: list[Span] = []
    for part in parts:
        if spans:
            spans.append(Span(separator))
        spans.extend(part)
    return tuple(spans)


def plain(inline: Inline) -> str:
    """The words alone."""
    return "".join(span.text for span in inline)


def visible(text: str) -> str:
    """Text in which what a terminal would obey is shown instead.

    Messages of exceptions and lines of source are a stranger's: they may hold escape sequences
    or marks that turn the reading direction.
    """
    lines = text.replace("\t", "    ").split("\n")
    # nearly all can be printed as they are, and a page is made of hundreds
    return "\n".join(line if line.isprintable() else _all_shown(line) for line in lines)


def _all_shown(line: str) -> str:
    return "".join(map(_shown, line))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ascii(character)[1:-1]
