"""Where the text of a function reads one of its parameters."""

from __future__ import annotations

import ast
import inspect
import textwrap
import tokenize
from collections.abc import Callable, Iterator
from typing import Any


def first_reading(function: Callable[..., Any], name: str) -> int | None:
    """The line of the first expression of `function` that reads the parameter `name`.

    None: it reads it nowhere, or its text is not at hand.
    """
    return min((node.lineno for node in _readings(function, name)), default=None)


def comparing_line(function: Callable[..., Any], name: str) -> int | None:
    """The line at which `function` compares something with its parameter `name`, None aside."""
    tree = tree_of(function)
    lines = [
        node.lineno
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.Is | ast.IsNot)
        if any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))
    ]
    return min(lines, default=None)


def compares_with_zero(function: Callable[..., Any], name: str) -> bool:
    """Whether `function` compares its parameter `name` with a number near zero."""
    tree = tree_of(function)
    return tree is not None and any(
        is_near_zero(node, name) for node in ast.walk(tree) if isinstance(node, ast.Compare)
    )


def comments_of(function: Callable[..., Any]) -> str:
    """The comments in a function; "" where there are none, or its text is not at hand."""
    try:
        lines, _ = inspect.getsourcelines(inspect.unwrap(function))
        tokens = list(tokenize.generate_tokens(iter(lines).__next__))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return ""
    return " ".join(one.string for one in tokens if one.type == tokenize.COMMENT)


def tree_of(function: Callable[..., Any]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The definition of a function, with the lines of its file; None where there is no text."""
    try:
        lines, first = inspect.getsourcelines(inspect.unwrap(function))
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    found = tree.body[0] if tree.body else None
    if not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    ast.increment_lineno(found, first - 1)
    return found


def _readings(function: Callable[..., Any], name: str) -> Iterator[ast.Name]:
    tree = tree_of(function)
    for statement in tree.body if tree is not None else ():
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                yield node


def is_near_zero(node: ast.Compare, name: str) -> bool:
    """Whether a comparison is one of the parameter `name` with a number near zero."""
    sides = (node.left, *node.comparators)
    named = any(isinstance(side, ast.Name) and side.id == name for side in sides)
    numbers = [side.value for side in sides if isinstance(side, ast.Constant)]
    return named and any(
        isinstance(number, int | float) and abs(number) < 1e-2 for number in numbers
    )
