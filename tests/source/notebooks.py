"""Notebooks as Jupyter writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def notebook(*words: str, code: Iterable[str] = (), language: str = "python") -> str:
    """The text of a notebook: text cells with `words`, then code cells."""
    cells: list[dict[str, Any]] = [_cell("markdown", text) for text in words]
    cells += [{**_cell("code", text), "outputs": [], "execution_count": None} for text in code]
    metadata = {"kernelspec": {"language": language, "name": language.lower()}}
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1)


def _cell(kind: str, text: str) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
