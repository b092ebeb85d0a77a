"""What a file does outside of its functions and classes, read without a parse of those."""

from __future__ import annotations

import ast
import re
import warnings

# What begins at the margin, but for comments and brackets that close what was begun above.
AT_MARGIN = re.compile(r"\n(?=[^\s#)\]}])")
_LEFT_OUT = ("def ", "class ", "async def ", "@")
QUOTES = ('"""', "'''")


def outer_statements(text: str) -> list[ast.stmt] | None:
    """The statements of a file but the functions and classes at the margin.

    They stand on other lines than in the file.  None where it cannot be said for sure where such
    a function or class ends, as a text in quotes may have lines that begin at the margin.
    """
    kept: list[str] = []
    for part in AT_MARGIN.split(text):
        if not part.startswith(_LEFT_OUT):
            kept.append(part)
        elif part.endswith("\\") or any(part.count(one) % 2 for one in QUOTES):
            return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse("\n".join(kept)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
