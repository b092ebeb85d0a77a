"""The text of files as they were loaded: a repair serves what is not on the disk."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache

from gptdoctor.core.findings import Place


def text_of(filename: str) -> str:
    """The text of a file as it was loaded; "" where nobody has it."""
    return "".join(linecache.getlines(filename))


def line_at(place: Place, root: str) -> str:
    """The text of the line of a place, "" where there is none."""
    return linecache.getline(f"{root}/{place.path}", place.line or 0)


@lru_cache(maxsize=64)
def tree_of_file(filename: str) -> ast.Module:
    """The syntax tree of a file; an empty one where it is no Python any more."""
    try:
        return ast.parse(text_of(filename))
    except (SyntaxError, ValueError):  # the file changed after it was loaded
        return ast.Module(body=[], type_ignores=[])


def covers(node: ast.stmt | ast.expr, line: int) -> bool:
    """Whether a line is one of those on which a node of a parsed text stands."""
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def tree_at(place: Place, root: str) -> ast.Module:
    """The syntax tree of the file of a place."""
    return tree_of_file(f"{root}/{place.path}")
