"""Which lines are said to have run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from gptdoctor.core.specimens import ModelTarget
from gptdoctor.worker.recorder import as_executed, record_lines

SOURCE = """\
import json
def walk(items):
    total = 0
    for item in items:
        if item > 2:
            total += item
        else:
            json.dumps({"item": [item]})
    return total
"""


def module_from(file: Path) -> ModuleType:
    """The module that a file holds, imported."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_lines_that_ran_are_recorded(tmp_path: Path) -> None:
    """A branch that was not taken is not there, nor a line that ran before."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/walk.py").write_text(SOURCE)
    module = module_from(tmp_path / "sub/walk.py")
    with record_lines(str(tmp_path)) as lines:
        module.walk([3, 4])
    module.walk([1])
    assert as_executed(lines) == {"sub/walk.py": (3, 4, 5, 6, 9)}


def test_the_import_of_a_file_is_recorded(tmp_path: Path) -> None:
    """The lines at a module's top level run when it is imported."""
    (tmp_path / "walk.py").write_text(SOURCE)
    with record_lines(str(tmp_path)) as lines:
        module_from(tmp_path / "walk.py")
    assert as_executed(lines) == {"walk.py": (1, 2)}


def test_foreign_files_are_not_recorded(tmp_path: Path) -> None:
    """Neither Python's library nor an environment inside the project is the user's code."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/walk.py").write_text(SOURCE)
    module = module_from(tmp_path / ".venv/walk.py")
    with record_lines(str(tmp_path)) as lines:
        module.walk([1, 3])
    assert as_executed(lines) == {}


def test_of_an_installed_package_the_model_is_recorded(tmp_path: Path) -> None:
    """The machinery of the package is not; nor is what lies beside the package."""
    site = tmp_path / "site-packages"
    for name in ("pack/models/walk.py", "pack/models/part.py", "pack/base.py", "pack/other.py"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(SOURCE)
    family = ("pack/models/walk.py::Walk", "pack/base.py::Base")
    target = ModelTarget(
        path="pack/models/walk.py", name="Walk", line=1, end_line=1, entry="walk", family=family
    )
    modules = [module_from(file) for file in sorted(site.rglob("*.py"))]
    with record_lines(str(site), target) as lines:
        for module in modules:
            module.walk([1])
    assert set(lines) == {"pack/models/walk.py", "pack/models/part.py", "pack/base.py"}


def test_a_second_recording_hears_the_same_lines(tmp_path: Path) -> None:
    """What an earlier recording has noted is noted again."""
    (tmp_path / "walk.py").write_text(SOURCE)
    module = module_from(tmp_path / "walk.py")
    for _ in range(2):
        with record_lines(str(tmp_path)) as lines:
            module.walk([3])
        assert as_executed(lines) == {"walk.py": (3, 4, 5, 6, 9)}


def test_the_tracer_that_was_there_comes_back(tmp_path: Path) -> None:
    """A debugger or a coverage tool goes on after the recording, and after an error in it."""

    def mine(frame: object, event: str, argument: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(mine)
    try:
        try:
            with record_lines(str(tmp_path)):
                raise ValueError
        except ValueError:
            after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert mine is after
