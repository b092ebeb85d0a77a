"""A test that stops with a clear error, as lines of text."""

from __future__ import annotations

import textwrap

# Longer lines than this are broken, as most formatters do.
LONGEST_LINE = 100


def refusal(test: str, error: str, sentence: str, *, indent: str, margin: str) -> list[str]:
    """`if test: raise error("sentence")`, without the margin of the place it goes to."""
    begin = f"{indent}raise {error}("
    if _width(margin, f'{begin}"{sentence}")') <= LONGEST_LINE:
        return [f"if {test}:", f'{begin}"{sentence}")']
    room = LONGEST_LINE - _width(margin, indent + indent, '" "')
    pieces = textwrap.wrap(sentence, room, break_long_words=False, break_on_hyphens=False)
    texts = [f'"{piece} "' for piece in pieces[:-1]] + [f'"{pieces[-1]}"']
    return [f"if {test}:", begin, *(f"{indent}{indent}{text}" for text in texts), f"{indent})"]


def _width(*parts: str) -> int:
    return len("".join(parts).expandtabs(4))
