"""Single definitions, read out of files that need no parse as a whole."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from gptdoctor.source.outer_statements import outer_statements
from gptdoctor.source.statements import blocks_of, places_of

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# What begins a line here is no part of the definition above, but where it stands in brackets or
# in quotes; and what is cut off inside of those is no Python.
_NEXT = re.compile(r"\n(?=[A-Za-z_@])")
_COLON = re.compile(r":[ \t]*(?:#[^\n]*)?(?=\n)")
_HEADS = ("class ", "def ", "async def ")
_MAKER = "\n    def __init__("


def definition_in(text: str, name: str) -> Definition | None:
    """The only class or function of this name that begins a line, with decorators of a line each.

    Of a function no more than its head, and of a class the way to that of its constructor, if it
    has one.  Where none begins a line, the only class in a branch of an `if` or a `try`.  None
    where there is no such definition, where there are several, and where it cannot be read by
    itself.
    """
    found = list(_heads(text, name))
    outer = [(begin, kind) for begin, kind in found if kind in _HEADS]
    if len(outer) != 1:
        inner = not outer and any(kind.strip() == "class" for _, kind in found)
        return _class_in_branch(text, name) if inner else None
    begin, kind = outer[0]
    following = _NEXT.search(text, begin)
    end = len(text) if following is None else following.start()
    head = _head(text, begin, end, is_class=kind == "class ")
    while begin and text.startswith("@", above := text.rfind("\n", 0, begin - 1) + 1):
        begin = above
    short = None if head is None else _parsed(f"{text[begin:head]} pass")
    return short or _parsed(text[begin:end])


def _heads(text: str, name: str) -> Iterator[tuple[int, str]]:
    """Where the lines begin in which a name stands, and what stands before it: "def " and such."""
    for at in places_of(text, name):
        end = at + len(name)
        if not (text[end : end + 1].isalnum() or text[end : end + 1] == "_"):
            begin = text.rfind("\n", 0, at) + 1
            yield begin, text[begin:at]


def _class_in_branch(text: str, name: str) -> ast.ClassDef | None:
    stack = [one for one in outer_statements(text) or () if isinstance(one, ast.If | ast.Try)]
    found: list[ast.ClassDef] = []
    while stack:
        for one in blocks_of(stack.pop()):
            inner = blocks_of(one) if isinstance(one, ast.ExceptHandler) else [one]
            stack += [part for part in inner if isinstance(part, ast.If | ast.Try)]
            found += [part for part in inner if isinstance(part, ast.ClassDef)]
    named = [one for one in found if one.name == name]
    return named[0] if len(named) == 1 else None


def _head(text: str, begin: int, end: int, *, is_class: bool) -> int | None:
    """Where the head may end of a function, or of the only constructor of a class.

    What is cut off there is Python, with a body, only if it is the head.
    """
    if is_class:
        maker = text.find(_MAKER, begin, end)
        if maker < 0 or text.count("def __init__", begin, end) != 1:
            return None
        begin = maker
    found = _COLON.search(text, begin, end)
    return None if found is None else found.start() + 1


def _parsed(text: str) -> Definition | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    (only,) = tree.body if len(tree.body) == 1 else (None,)
    return only if isinstance(only, Definition) else None
