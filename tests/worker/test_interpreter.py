"""Which interpreter is chosen, and what it says of itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gptdoctor.core.errors import UsageError, WorkerError
from gptdoctor.worker import interpreter
from gptdoctor.worker.interpreter import choose_python, search_paths


def environment(folder: Path, *, torch: bool) -> str:
    """What looks like a virtual environment; its interpreter cannot run."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").write_text("")
    packages = folder / "lib/python3.11/site-packages"
    (packages / "torch").mkdir(parents=True)
    if torch:
        (packages / "torch/__init__.py").write_text("")
    return str(folder / "bin/python")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is active but what a test activates."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)


@pytest.mark.parametrize(
    ("active", "project", "chosen"),
    [
        (True, True, "active"),
        (True, False, "active"),
        (False, True, "project"),
        (False, False, "own"),
        (None, True, "project"),
        (None, None, "own"),
    ],
)
def test_environments_with_torch_come_before_our_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    active: bool | None,
    project: bool | None,
    chosen: str,
) -> None:
    """The active environment, then the project's, each only where it holds torch."""
    expected = {"own": sys.executable}
    if active is not None:
        expected["active"] = environment(tmp_path / "active", torch=active)
        monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    if project is not None:
        expected["project"] = environment(tmp_path / "root/.venv", torch=project)
    assert expected[chosen] == choose_python(None, str(tmp_path / "root"))


@pytest.mark.parametrize(("ours", "chosen"), [(True, "own"), (False, "conda")])
def test_conda_is_for_those_whose_own_python_has_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: bool, chosen: str
) -> None:
    """Conda's base environment is always active, and so it comes last."""
    conda = environment(tmp_path / "conda", torch=True)
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "conda"))
    monkeypatch.setattr(interpreter, "find_spec", lambda name: object() if ours else None)
    assert {"own": sys.executable, "conda": conda}[chosen] == choose_python(None, str(tmp_path))


def test_what_the_user_names_is_taken(tmp_path: Path) -> None:
    """A path or a name on PATH; a link is kept, for it makes a virtual environment."""
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert str(link) == choose_python(str(link), str(tmp_path))
    assert Path(choose_python("sh", str(tmp_path))).is_absolute()


def test_a_name_that_is_no_program_is_the_users_error(tmp_path: Path) -> None:
    """The call is wrong, and the message says what to give."""
    with pytest.raises(UsageError, match="no program") as caught:
        choose_python(str(tmp_path / "nowhere"), str(tmp_path))
    assert ".venv/bin/python" in caught.value.hint


def test_our_own_search_path_is_known_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the call and of the script are the user's chance, not the interpreter's."""
    monkeypatch.setattr(sys, "path", ["", str(Path.cwd()), "/somewhere/site-packages"])
    assert search_paths(sys.executable) == ("/somewhere/site-packages",)


def test_another_interpreter_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is run without the user's code, and PYTHONPATH is added as the worker heeds it."""
    link = tmp_path / "python"
    link.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    link.chmod(0o755)
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('ran the code of the user')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    paths = search_paths(str(link))
    assert str(tmp_path) == paths[0]
    assert any(path.endswith("site-packages") for path in paths)
    assert "" not in paths


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "echo 3 | cat"])
def test_an_interpreter_that_does_not_answer_is_an_error(tmp_path: Path, script: str) -> None:
    """Without a search path every import would look unresolved, so nothing is guessed."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    with pytest.raises(WorkerError):
        search_paths(str(python))
