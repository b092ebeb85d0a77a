"""What IPython adds to Python in a cell, taken out so that every line keeps its number."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT, PyCF_ONLY_AST
from collections.abc import Iterator, Sequence

# Cell magics that run the cell's own Python in this process. Others hand its text to a shell, a
# browser or another process.
_PYTHON_CELLS = frozenset({"capture", "debug", "mprun", "memit", "prun", "time", "timeit"})
_CELL_MAGIC = re.compile(r"%%(\w+)")
_WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_LINE_MAGIC = re.compile(r"\s*[%!?]")
_ASKED = re.compile(r"\s*%{0,2}[\w.*]+(?:\[[^\]]*\])?\?{1,2}\s*(?:#.*)?")
_ASSIGNED = re.compile(r"(\s*[A-Za-z_]\w*\s*=\s*)[%!]")


def parse_error(text: str) -> SyntaxError | None:
    """What keeps a cell from being Python, or None; a cell may await at its top level."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are for linters to report
            compile(text, "<cell>", "exec", PyCF_ONLY_AST | PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error) or type(error).__name__)
    return None


def without_magics(text: str) -> str:
    """A cell's text as Python with as many lines.

    What only the shell or IPython understands becomes `pass`, or None where it is assigned; a
    cell in another language becomes empty.
    """
    lines = text.split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    magic = _CELL_MAGIC.match(lines[first])
    if magic is not None:
        if magic.group(1) not in _PYTHON_CELLS:
            return "\n".join("" for _ in lines)
        lines[first] = ""
    if parse_error("\n".join(lines)) is not None:
        lines = _plain_lines(lines)
    return _without_awaits("\n".join(lines))


def _plain_lines(lines: Sequence[str]) -> list[str]:
    """The lines, with those in which a statement of IPython's stands exchanged."""
    plain: list[str] = []
    continues = False  # a magic that ends in a backslash goes on
    for line in lines:
        exchanged = "" if continues else _exchanged(line)
        if exchanged is None or (not continues and _inside(plain)):
            plain.append(line)
            continue
        plain.append(exchanged)
        continues = line.rstrip().endswith("\\")
    return plain


def _exchanged(line: str) -> str | None:
    """Python in the place of a line of IPython's; None where the line is not one."""
    if _LINE_MAGIC.match(line) or _ASKED.fullmatch(line):
        return f"{line[: len(line) - len(line.lstrip())]}pass"
    assigned = _ASSIGNED.match(line)
    return f"{assigned.group(1)}None" if assigned is not None else None


def _without_awaits(text: str) -> str:
    """The text without the statements that await at the top level, which no module may."""
    if ("await" not in text and "async" not in text) or parse_error(text) is not None:
        return text
    lines = text.split("\n")
    for statement in ast.parse(text).body:
        if any(isinstance(node, _WAITS) for node in _run_now(statement)):
            first, end = statement.lineno - 1, statement.end_lineno or statement.lineno
            lines[first:end] = ["pass", *("" for _ in range(first + 1, end))]
    return "\n".join(lines)


def _run_now(node: ast.AST) -> Iterator[ast.AST]:
    """A statement and all in it that is in no function."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _run_now(child)


def _inside(before: Sequence[str]) -> bool:
    """Whether a statement, a bracket or a string that began before is still open."""
    if before and before[-1].endswith("\\"):
        return True
    try:
        for _ in tokenize.generate_tokens(io.StringIO("\n".join(before) + "\n").readline):
            pass
    except tokenize.TokenError:
        return True
    except SyntaxError:  # such as an indentation that fits nothing: told when the cell is parsed
        pass
    return False
