from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from gptdoctor.core.diagnosis import SourceError
from gptdoctor.source.magics import without_magics
from gptdoctor.source.module import SourceModule, read_module
from gptdoctor.source.notebooks import NotANotebookError, read_notebook
from gptdoctor.source.targets import find_targets
from tests.source.notebooks import notebook


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!pip install a \\\n  b\nx = 1", "pass\n\nx = 1"),
        ("if True:\n    %time f()\n", "if True:\n    pass\n"),
        ("model.forward??", "pass"),
        ("?model", "pass"),
        ("files = !ls\nz = %who", "files = None\nz = None"),
        ("%%time\nx = 1", "\nx = 1"),
        ("\n%%capture out\nx = 1", "\n\nx = 1"),
        ("%%bash\nls -la\nrm x", "\n\n"),
        ("%%writefile model.py\nimport torch", "\n"),
        ("y = (7\n  % 3)\n%who", "y = (7\n  % 3)\npass"),
        ('s = """\n%no magic\n!nor this\n"""\n!ls', 's = """\n%no magic\n!nor this\n"""\npass'),
        ("x = await f()\ny = 2", "pass\ny = 2"),
        ("async def f():\n    await g()", "async def f():\n    await g()"),
        ("print(1);", "print(1);"),
        ("", ""),
    ],
)
def test_what_only_ipython_understands_leaves_python_of_as_many_lines(
    cell: str, python: str
) -> None:
    """Every other line stays where and what it was."""
    assert without_magics(cell) == python
    ast.parse(python)


def test_cells_become_one_text_whose_lines_lead_back() -> None:
    """A line is found again by the cell's number among all cells, and its place there."""
    read = read_notebook(notebook("# title", code=["import torch\nx = 1", "y = 2"]))
    lines = read.text.split("\n")
    place = read.place(lines.index("y = 2") + 1)
    assert place is not None
    assert (place.cell, place.line) == (3, 1)
    second = read.place(lines.index("x = 1") + 1)
    assert second is not None
    assert (second.cell, second.line) == (2, 2)
    assert read.place(1) is None


def test_a_broken_cell_is_named_and_does_not_lose_the_others(tmp_path: Path) -> None:
    """The other cells are read; the error has the cell, the line in it and the line of all."""
    file = tmp_path / "nb.ipynb"
    file.write_text(notebook(code=["class A: pass", "x = 1\ny = (", "class B: pass"]))
    module = read_module(file, tmp_path)
    assert isinstance(module, SourceModule)
    assert [node.name for node in module.tree.body if isinstance(node, ast.ClassDef)] == ["A", "B"]
    (error,) = module.errors
    assert error.in_cell is not None
    assert (error.kind, error.in_cell.cell, error.in_cell.line) == ("syntax-error", 2, 2)
    assert module.in_cell(error.line) == error.in_cell


def test_imports_of_the_future_stand_first() -> None:
    """A later cell may import from `__future__`; one module may not, but at its top."""
    read = read_notebook(notebook(code=["x = 1", "from __future__ import annotations\ny = 2"]))
    compile(read.text, "nb", "exec")
    assert read.text.startswith("from __future__ import annotations\n")


def test_format_3_keeps_cells_in_worksheets() -> None:
    """Old notebooks are read too."""
    cells = [{"cell_type": "code", "input": ["x = 1\n", "y = 2"], "language": "python"}]
    read = read_notebook(json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}))
    assert read.text == "\nx = 1\ny = 2\n"


@pytest.mark.parametrize(
    ("text", "line"), [("{\n 'cells': []}", 2), ("[]", 1), ("{}", 1), ('{"a": 1}', 1)]
)
def test_what_is_no_notebook_is_said_in_a_sentence(tmp_path: Path, text: str, line: int) -> None:
    """Broken JSON, or JSON of another kind, is an error with its line and never a crash."""
    with pytest.raises(NotANotebookError, match=r"^not a notebook: "):
        read_notebook(text)
    file = tmp_path / "nb.ipynb"
    file.write_text(text)
    error = read_module(file, tmp_path)
    assert isinstance(error, SourceError)
    assert (error.kind, error.line) == ("read-error", line)


@pytest.mark.parametrize("text", ["", "\n", notebook(), notebook("# only words")])
def test_an_empty_notebook_is_an_empty_module(text: str) -> None:
    """A new file, no cells, or only text cells."""
    assert not read_notebook(text).text.strip()


def test_a_notebook_in_another_language_is_not_read_as_python() -> None:
    """Its language is told, and none of its code is taken."""
    read = read_notebook(notebook(code=["x <- 1"], language="R"))
    assert (read.language, read.cells) == ("R", ())


def test_outputs_of_many_megabytes_are_no_burden(tmp_path: Path) -> None:
    """Only the sources of code cells are kept."""
    document = json.loads(notebook(code=["x = 1"]))
    document["cells"][0]["outputs"] = [{"data": {"image/png": "A" * 5_000_000}}]
    assert read_notebook(json.dumps(document)).text == "\nx = 1\n"


def test_folders_are_searched_for_notebooks_but_not_their_checkpoints(tmp_path: Path) -> None:
    """`.ipynb_checkpoints` holds copies that Jupyter makes."""
    for name in ("a.py", "b.ipynb", ".ipynb_checkpoints/b-checkpoint.ipynb", "test_c.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(notebook() if "ipynb" in name else "")
    found = find_targets((".",), tmp_path)
    assert [file.name for file in found.files] == ["a.py", "b.ipynb"]
