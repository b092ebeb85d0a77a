"""Notebooks as Python text: the code cells one after another, and the way back to each cell."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.core.cells import CellLine
from gptdoctor.source.magics import parse_error, without_magics

SUFFIX = ".ipynb"
_FUTURE = re.compile(r"^from __future__ import [^\n;#(]*", re.MULTILINE)


class NotANotebookError(Exception):
    """The text is no notebook; the message says what is wrong with it, `line` where."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One code cell."""

    number: int  # from 1, among all cells of the notebook, text ones included
    first: int  # its first line in the notebook's text, from 1
    text: str  # Python, line by line as in the cell; blank where the cell is broken
    error: SyntaxError | None  # with the line in the cell


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """The code of a notebook."""

    cells: tuple[Cell, ...]
    future: str  # the `__future__` imports of all cells, which must stand first, or ""
    language: str  # "python", or what the kernel runs, of which nothing was read

    @cached_property
    def text(self) -> str:
        """All cells as one module: what a run of the whole notebook executes."""
        return "\n".join((self.future, *(cell.text for cell in self.cells))) + "\n"

    def place(self, line: int) -> CellLine | None:
        """The cell and the line in it of a line of `text`; None before the first cell."""
        index = bisect_right([cell.first for cell in self.cells], line) - 1
        if index < 0:
            return None
        cell = self.cells[index]
        return CellLine(cell=cell.number, line=line - cell.first + 1)


def python_of(path: str, text: str) -> str:
    """The Python text of a file: its own, or that of its cells where it is a notebook.

    A file that only calls itself a notebook has none.
    """
    if not path.endswith(SUFFIX):
        return text
    try:
        return read_notebook(text).text
    except NotANotebookError:
        return ""


def read_notebook(text: str) -> Notebook:
    """The notebook that is written in `text`, of any version of the format.

    Raises NotANotebookError where it is none.
    """
    if not text.strip():  # as editors create them
        return Notebook(cells=(), future="", language="python")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise NotANotebookError(f"not a notebook: {error.msg}", error.lineno) from error
    except RecursionError as error:
        raise NotANotebookError("not a notebook: nested too deeply") from error
    sources = list(_sources(document))
    language = _language(document)
    if language != "python":
        return Notebook(cells=(), future="", language=language)
    plain = [(number, without_magics(source)) for number, source in sources]
    future = [found.strip() for _, source in plain for found in _FUTURE.findall(source)]
    return Notebook(
        cells=tuple(_cells(plain)), future="; ".join(dict.fromkeys(future)), language=language
    )


def _cells(plain: list[tuple[int, str]]) -> Iterator[Cell]:
    first = 2  # below the line of the future
    for number, source in plain:
        error = parse_error(source)
        text = _FUTURE.sub("pass", source)
        if error is not None:
            text = "\n" * source.count("\n")  # the other cells are read all the same
        yield Cell(number=number, first=first, text=text, error=error)
        first += source.count("\n") + 1


def _sources(document: object) -> Iterator[tuple[int, str]]:
    """The code cells with their numbers; format 3 keeps them in worksheets."""
    if not isinstance(document, Mapping):
        raise NotANotebookError("not a notebook: it is no object with cells")
    sheets = document.get("worksheets")
    holders = sheets if isinstance(sheets, list) else [document]
    cells = [cell for holder in holders for cell in _listed(holder, "cells")]
    if not any(isinstance(holder, Mapping) and "cells" in holder for holder in holders):
        raise NotANotebookError("not a notebook: it has no cells")
    for number, cell in enumerate(cells, start=1):
        if isinstance(cell, Mapping) and cell.get("cell_type") == "code":
            source = cell.get("source", cell.get("input", ""))
            lines = source if isinstance(source, list) else [source]
            text = "".join(line for line in lines if isinstance(line, str))
            yield number, text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def _listed(holder: object, key: str) -> list[object]:
    found = holder.get(key) if isinstance(holder, Mapping) else None
    return found if isinstance(found, list) else []


def _language(document: Mapping[str, object]) -> str:
    """What the notebook's kernel runs; Python where nothing is said."""
    metadata = document.get("metadata")
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        told = metadata.get(part) if isinstance(metadata, Mapping) else None
        language = told.get(key) if isinstance(told, Mapping) else None
        if isinstance(language, str) and language:
            return "python" if "python" in language.lower() else language
    return "python"
