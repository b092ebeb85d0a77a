"""Code that is there to be pasted: broken only where its language goes on in the next line.

What does not fit even so runs over the edge of the screen: a terminal gives back as one line what
it has broken itself.
"""

from __future__ import annotations

import io
import itertools
import tokenize
import tomllib
from collections.abc import Iterable, Iterator, Sequence

from gptdoctor.report.prose import Inline, Span, literally, visible

PYTHON, SHELL, TOML = "pasted.python", "pasted.shell", "pasted.toml"  # roles of spans
_SHELL_GOES_ON, _SHELL_INDENT = " \\", "  "
_QUOTES = "'''"  # around a string of TOML that may have several lines, and no escapes


def python(code: str) -> Inline:
    """An expression; it may be broken after a comma between brackets."""
    return literally(code, PYTHON)


def toml(line: str) -> Inline:
    """A line of TOML: the head of a table, or a key with an expression of Python."""
    return literally(line, TOML)


def shell(words: Sequence[str]) -> Inline:
    """A command, its words quoted as far as they need it; it may be broken between these."""
    return tuple(Span(visible(word), SHELL) for word in words)


def is_pasted(text: Inline) -> bool:
    """Whether all of it is such code."""
    return bool(text) and all(span.role in (PYTHON, SHELL, TOML) for span in text)


def joined_words(text: Inline) -> str:
    """The code in one line."""
    return " ".join(span.text for span in text)


def pasted_lines(text: Inline, width: int) -> list[str]:
    """The lines that are printed, of `width` columns where the language allows it."""
    whole = joined_words(text)
    if len(whole) <= width:
        return [whole]
    if text[0].role == PYTHON:
        return _python_lines(whole, width)
    if text[0].role == TOML:
        return _toml_lines(whole, width)
    room = width - len(_SHELL_INDENT) - len(_SHELL_GOES_ON)
    first, *others = _filled([span.text for span in text], room)
    return f"{_SHELL_GOES_ON}\n{_SHELL_INDENT}".join((first, *others)).split("\n")


def _filled(pieces: Iterable[str], width: int) -> list[str]:
    """As many pieces in each line as fit; one that is wider has a line of its own."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 1 + len(piece) <= width:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return lines


def _toml_lines(line: str, width: int) -> list[str]:
    """A key with an expression of Python in a string of several lines, where it has commas."""
    [(key, code)] = tomllib.loads(line).items()
    if not isinstance(code, str) or _QUOTES in code:
        return [line]
    lines = _python_lines(f"{key} = {_QUOTES}{code}{_QUOTES}", width, start=len(key) + 6)
    return lines if len(lines) > 1 else [line]


def _python_lines(code: str, width: int, start: int = 0) -> list[str]:
    """Code in lines; what stands before `start` and its counterpart at the end is none."""
    inner = code[start : len(code) - len(_QUOTES)] if start else code
    try:
        commas = [(end + start, depth) for end, depth in _commas(inner)]
    except (tokenize.TokenError, SyntaxError):
        return [code]
    return _filled(_pieces(code, 0, len(code), commas, width), width)


def _pieces(
    code: str, start: int, end: int, commas: Sequence[tuple[int, int]], width: int
) -> Iterator[str]:
    """The code from `start` to `end`, parted at its outermost commas; at inner ones where that
    is not enough.
    """
    inside = [comma for comma in commas if start < comma[0] < end]
    if end - start <= width or not inside:
        yield code[start:end].strip()
        return
    least = min(depth for _, depth in inside)
    cuts = [start, *(place for place, depth in inside if depth == least), end]
    for first, last in itertools.pairwise(cuts):
        yield from _pieces(code, first, last, inside, width)


def _commas(code: str) -> Iterator[tuple[int, int]]:
    """Where the commas between brackets end, and how deep they lie."""
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.start[0] > 1 and token.string:
            raise SyntaxError("more than one line")
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == "," and depth:
                yield token.end[1], depth
