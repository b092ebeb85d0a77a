"""The statements of a tree without its expressions: a tenth of its nodes, for many questions."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from gptdoctor.source.nodes import inner_children

# The fields of a compound statement that hold statements, in the order of the text; all other
# kinds hold none.  Reading only these is what makes a pass over the statements cheap.
_PLAIN, _CHOICE = ("body",), ("body", "orelse")
BLOCKS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Module: _PLAIN,
    ast.ClassDef: _PLAIN,
    ast.FunctionDef: _PLAIN,
    ast.AsyncFunctionDef: _PLAIN,
    ast.With: _PLAIN,
    ast.AsyncWith: _PLAIN,
    ast.ExceptHandler: _PLAIN,
    ast.match_case: _PLAIN,
    ast.If: _CHOICE,
    ast.For: _CHOICE,
    ast.AsyncFor: _CHOICE,
    ast.While: _CHOICE,
    ast.Try: ("body", "handlers", "orelse", "finalbody"),
    ast.Match: ("cases",),
}
if hasattr(ast, "TryStar"):  # since Python 3.11
    BLOCKS[ast.TryStar] = BLOCKS[ast.Try]


_HELD = (ast.stmt, ast.ExceptHandler, ast.match_case)  # what stands in blocks
ASSIGNMENTS = (ast.Assign, ast.AnnAssign)
SCOPES = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})


def statements_below(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node, with handlers and cases, at any depth, in the text's order.

    Without recursion: a long chain of `elif` is as deep as it is long.
    """
    stack = blocks_of(tree)[::-1]
    while stack:
        node = stack.pop()
        yield node
        if node.__class__ in BLOCKS:
            stack += blocks_of(node)[::-1]


def every_statement(tree: ast.AST) -> list[ast.AST]:
    """The same in no order that the text has, for who asks about most of them: in half the time."""
    found = blocks_of(tree)
    for node in found:  # it grows on the way
        if node.__class__ in BLOCKS:
            for field in BLOCKS[node.__class__]:
                found += getattr(node, field)
    return found


def own_statements(tree: ast.AST) -> Iterator[ast.AST]:
    """The same without the statements of functions and classes that are defined below the node."""
    stack = blocks_of(tree)[::-1]
    while stack:
        node = stack.pop()
        yield node
        kind = node.__class__
        if kind in BLOCKS and kind not in SCOPES:
            stack += blocks_of(node)[::-1]


def blocks_of(node: ast.AST) -> list[ast.AST]:
    """The statements directly inside a node, of all its blocks."""
    fields = BLOCKS.get(node.__class__)
    if fields is None:
        return []
    found: list[ast.AST] = list(getattr(node, fields[0]))
    for field in fields[1:]:
        found += getattr(node, field)
    return found


def pieces_on(tree: ast.AST, lines: list[int]) -> Iterator[ast.AST]:
    """What has one of some lines below a node: plain statements, and others without their blocks.

    The lines are in order; a piece may have none of them all the same.
    """
    stack = blocks_of(tree)
    for node in stack:  # it grows on the way
        if not holds_line(node, lines):
            continue
        if node.__class__ in BLOCKS:
            stack += blocks_of(node)
            yield from head_of(node)
        else:
            yield node


def head_of(statement: ast.AST) -> list[ast.AST]:
    """What a compound statement has beside its blocks: tests, targets, defaults, decorators."""
    return [one for one in inner_children(statement) if not isinstance(one, _HELD)]


def bodies_of(statement: ast.AST) -> list[list[ast.stmt]]:
    """The lists of statements inside a statement: body, else, what is done at last, handlers."""
    fields = BLOCKS.get(statement.__class__)
    if fields is None:
        return []
    if fields is _PLAIN or fields is _CHOICE:
        return [getattr(statement, name) for name in fields]
    bodies = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    bodies.extend(handler.body for handler in getattr(statement, "handlers", []))
    bodies.extend(case.body for case in getattr(statement, "cases", []))
    return bodies


def first_line(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The line at which a definition begins: of its first decorator, if it has any."""
    decorators = node.decorator_list
    return min([node.lineno, *(one.lineno for one in decorators)]) if decorators else node.lineno


def holds_line(node: ast.AST, lines: list[int]) -> bool:
    """Whether a compound statement has, by its own, one of some lines in it; they are in order."""
    first: int | None = getattr(node, "lineno", None)
    if first is None:  # a `case` has no lines
        return True
    return any_between(lines, first, getattr(node, "end_lineno", None) or first)


def any_between(lines: list[int], first: int, last: int) -> bool:
    """Whether one of some lines, which are in order, is the first, the last or between them."""
    following = bisect_left(lines, first)
    return following < len(lines) and lines[following] <= last


def places_of(text: str, word: str) -> Iterator[int]:
    """Where a word stands in a text, in order, as a part of longer ones too."""
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def lines_at(text: str, places: Iterable[int], first: int = 1) -> list[int]:
    """The numbers of the lines at some places of a text, in order; its own first is `first`."""
    lines: list[int] = []
    line, known = first, 0
    for place in sorted(places):
        line, known = line + text.count("\n", known, place), place
        lines.append(line)
    return lines
