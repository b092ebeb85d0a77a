"""What a result rests on: which changes make it stale, and which do not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gptdoctor.cache.witness import STEP_NS, Witness, observe, settled, still_true
from tests.worker.conftest import write


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """A model that imports a sibling, a package's module, and what is nowhere."""
    write(
        tmp_path,
        {
            "model.py": "import shared",
            "shared.py": "WIDTH = 1",
            "unused.py": "",
            "pkg/__init__.py": "",
            "pkg/parts.py": "DEPTH = 1",
            "other/note.txt": "",
        },
    )
    return observe(
        tmp_path,
        files=["model.py", "shared.py", "pkg/__init__.py", "pkg/parts.py"],
        folders=[".", "src"],
        names=["shared", "pkg.parts", "nowhere", "pkg.absent", "einops"],
    )


STALE = {
    "another text of a module": {"shared.py": "WIDTH = 2"},
    "another text of a package": {"pkg/__init__.py": "x = 1"},
    "a module of the name that failed": {"nowhere.py": ""},
    "a package of the name that failed": {"nowhere/part.py": ""},
    "a submodule of the name that failed": {"pkg/absent.py": ""},
    "a package that hides the module": {"shared/__init__.py": ""},
    "a module in a folder that was not there": {"src/shared.py": "WIDTH = 1"},
    "a module that hides an installed package": {"einops.py": ""},
    "a compiled module of the name": {"nowhere.cpython-311-x86_64-linux-gnu.so": ""},
    "a module that hides one of the standard library": {"random.py": ""},
}
FRESH = {
    "another text of a file that was not used": {"unused.py": "x = 1"},
    "a new file of another name": {"new_model.py": "import torch"},
    "a new module in the package": {"pkg/more.py": ""},
    "a data file of the name that failed": {"nowhere.json": "{}"},
    "the same text again": {"shared.py": "WIDTH = 1"},
}


@pytest.mark.parametrize("files", STALE.values(), ids=STALE)
def test_what_could_change_the_result_is_noticed(
    tmp_path: Path, witness: Witness, files: dict[str, str]
) -> None:
    """Contents, and modules that would be found where others were or none was."""
    write(tmp_path, files)
    assert not still_true(witness, tmp_path)


@pytest.mark.parametrize("files", FRESH.values(), ids=FRESH)
def test_what_could_not_change_the_result_is_not(
    tmp_path: Path, witness: Witness, files: dict[str, str]
) -> None:
    """Other files are other models' business."""
    write(tmp_path, files)
    assert still_true(witness, tmp_path)


def test_a_file_that_is_gone_is_noticed(tmp_path: Path, witness: Witness) -> None:
    """An import that would fail now is another result."""
    (tmp_path / "pkg" / "parts.py").unlink()
    assert not still_true(witness, tmp_path)


def test_a_new_time_alone_changes_nothing(tmp_path: Path, witness: Witness) -> None:
    """`touch` and a fresh checkout leave results as they are."""
    os.utime(tmp_path / "shared.py", (1, 1))
    assert still_true(witness, tmp_path)


def test_a_change_after_the_start_unsettles(tmp_path: Path, witness: Witness) -> None:
    """A file written while the model ran: nobody knows which text was run."""
    time.sleep(2 * STEP_NS / 1e9)
    started = time.time_ns()
    assert settled(witness, tmp_path, started)
    write(tmp_path, {"shared.py": "WIDTH = 1"})
    assert not settled(witness, tmp_path, started)


def test_a_file_that_comes_after_the_start_unsettles(tmp_path: Path, witness: Witness) -> None:
    """A module that was missing may have come before it was looked for, or after."""
    time.sleep(2 * STEP_NS / 1e9)
    started = time.time_ns()
    write(tmp_path, {"nowhere.py": ""})
    assert not settled(witness, tmp_path, started)
