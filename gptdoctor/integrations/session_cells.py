"""The cells of an interactive session: IPython, Jupyter, or Python's own prompt, as a notebook."""

from __future__ import annotations

import json
import linecache
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gptdoctor.source.notebooks import Notebook, read_notebook

PATH = "session.ipynb"  # how the session is called in findings
# What Python's own prompt calls what was typed, since 3.13.
_TYPED = re.compile(r"<python-input-(\d+)>")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True)
class SessionCells:
    """The texts that code without a file came from, as a notebook whose cells have their numbers.

    Cells of IPython have the number of their prompt, `In [3]`.
    """

    numbers: Mapping[str, int]  # by the name that Python knows the cell's code by
    document: str  # the notebook, as a file would hold it; "" where there are no texts
    notebook: Notebook | None = field(repr=False)

    def known_as(self) -> dict[str, str]:
        """What each cell's code is called while it runs: as its places are to be read."""
        return {name: f"{PATH}:cell {number}" for name, number in self.numbers.items()}

    def first_lines(self) -> dict[str, int]:
        """The first line of each cell in the notebook's text, by what its code is called."""
        cells = () if self.notebook is None else self.notebook.cells
        return {f"{PATH}:cell {cell.number}": cell.first for cell in cells}


def session_cells(names: Iterable[str]) -> SessionCells:
    """The cells of this session, and the texts that `names` of code without a file stand for."""
    numbers = dict(_numbered(list(linecache.cache)))
    free = max(numbers.values(), default=0) + 1
    for name in names:
        if name not in numbers and linecache.getlines(name):
            numbers[name] = free
            free += 1
    if not numbers:
        return SessionCells(numbers={}, document="", notebook=None)
    texts = {number: "".join(linecache.getlines(name)) for name, number in numbers.items()}
    # Cells that are not known stand empty, so that position and number agree.
    cells = [_cell(texts.get(number, "")) for number in range(1, max(texts) + 1)]
    document = json.dumps({"cells": cells})
    return SessionCells(numbers=numbers, document=document, notebook=read_notebook(document))


def _cell(text: str) -> dict[str, str]:
    return {"cell_type": "code", "source": text}


def _numbered(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The names that belong to cells of the running shell, with their numbers."""
    shell = _shell()
    for name in names:
        typed = _TYPED.fullmatch(name)
        if typed is not None:
            yield name, int(typed.group(1)) + 1
        elif shell is not None:
            told = shell.compile.format_code_name(name)  # ("Cell", "In[3]")
            number = _NUMBER.search(told[1]) if told else None
            if number is not None:
                yield name, int(number.group())


def _shell() -> Any:
    """IPython's shell, where one runs this code."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(getattr(shell, "compile", None), "format_code_name") else None
