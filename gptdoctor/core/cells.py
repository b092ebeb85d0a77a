"""Places in notebooks, as a reader finds them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CellLine:
    """A line of a cell."""

    cell: int  # from 1, among all cells of the notebook, text ones included
    line: int  # from 1, in the cell


def place_words(path: str, line: int, in_cell: CellLine | None) -> str:
    """A line of a file, "model.py:12", or of a notebook, "study.ipynb:cell 3:5"."""
    return f"{path}:{line}" if in_cell is None else f"{path}:cell {in_cell.cell}:{in_cell.line}"
