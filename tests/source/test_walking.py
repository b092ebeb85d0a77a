"""Which files below a folder are read."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from gptdoctor.config import DEFAULT_EXCLUDE, FileChoice
from gptdoctor.source.targets import find_targets

FILES = [
    "model.py",
    "notes.txt",
    ".hidden.py",
    "made/model.py",
    "made/kept.py",
    "pkg/model.py",
    "pkg/scratch.py",
    "pkg/deep/scratch.py",
    "pkg/deep/local.py",
    "private.py",
    "tests/model.py",
    "test_model.py",
    "env/pyvenv.cfg",
    "env/lib.py",
    "study.ipynb",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose ignore files say different things at different depths."""
    root = tmp_path / "project"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / "pyproject.toml").write_text("")
    (root / ".gitignore").write_text("made/\nscratch.py\n")
    (root / "pkg/deep/.gitignore").write_text("!scratch.py\nlocal.py\n")
    (root / ".git/info").mkdir(exist_ok=True)
    (root / ".git/info/exclude").write_text("private.py\n")
    return root


def found(root: Path, *words: str, **choice: object) -> list[str]:
    """The files that are read, as seen from the root."""
    targets = find_targets(words or (".",), root, FileChoice(**choice))  # type: ignore[arg-type]
    return [file.relative_to(root).as_posix() for file in targets.files]


def test_what_git_ignores_is_passed_by(project: Path) -> None:
    """By nested files, by what they take back, and by the list that is not shared."""
    assert found(project) == ["model.py", "pkg/deep/scratch.py", "pkg/model.py", "study.ipynb"]


def test_it_is_read_where_that_is_asked_for(project: Path) -> None:
    """Hidden files, environments and what is excluded are still not."""
    assert found(project, respect_gitignore=False) == [
        "made/kept.py",
        "made/model.py",
        "model.py",
        "pkg/deep/local.py",
        "pkg/deep/scratch.py",
        "pkg/model.py",
        "pkg/scratch.py",
        "private.py",
        "study.ipynb",
    ]


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (("made/model.py",), ["made/model.py"]),
        (("made",), ["made/kept.py", "made/model.py"]),
        (("pkg/deep",), ["pkg/deep/scratch.py"]),
        (("private.py", "tests/model.py"), ["private.py", "tests/model.py"]),
    ],
    ids=["a file", "an ignored folder", "a folder of its own rules", "several"],
)
def test_what_is_named_is_taken(project: Path, words: tuple[str, ...], files: list[str]) -> None:
    """Whatever git or the settings say of it."""
    assert found(project, *words) == files


@pytest.mark.parametrize(
    "exclude",
    [DEFAULT_EXCLUDE, (*DEFAULT_EXCLUDE, "/elsewhere/model.py")],
    ids=["plain names", "a path among them"],
)
def test_a_folder_that_is_excluded_may_be_named(project: Path, exclude: tuple[str, ...]) -> None:
    """Then what is in it counts for itself: a test of the tests' is still none of its models."""
    (project / "tests/test_model.py").write_text("")
    assert found(project, "tests", exclude=exclude) == ["tests/model.py"]


def test_a_folder_outside_of_any_repository_has_no_rules(tmp_path: Path) -> None:
    """A `.gitignore` means something to git alone."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / ".gitignore").write_text("*.py\n")
    (tmp_path / "model.py").write_text("")
    assert found(tmp_path) == ["model.py"]


def test_a_worktree_has_the_rules_of_its_origin(project: Path, tmp_path: Path) -> None:
    """There `.git` is a file that leads to them."""
    git = ["git", "-C", project, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "add", "model.py"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    other = tmp_path / "other"
    subprocess.run([*git, "worktree", "add", "-q", other], check=True)
    (other / "private.py").write_text("")
    assert found(other) == ["model.py"]


@pytest.mark.parametrize(
    ("exclude", "files"),
    [
        ((*DEFAULT_EXCLUDE, "pkg/"), ["model.py", "study.ipynb"]),
        ((*DEFAULT_EXCLUDE, "/model.py"), ["pkg/deep/scratch.py", "pkg/model.py", "study.ipynb"]),
        (("*.ipynb", "pkg"), ["model.py", "test_model.py", "tests/model.py"]),
        (("*.py", "!/model.py"), ["model.py", "study.ipynb"]),
    ],
    ids=["a folder", "a path", "in place of the usual", "taken back"],
)
def test_patterns_of_the_settings_exclude(
    project: Path, exclude: tuple[str, ...], files: list[str]
) -> None:
    """They are seen from the project's root, and stand beside git's."""
    assert found(project, exclude=exclude) == files


def test_named_files_are_excluded_where_that_is_asked_for(project: Path) -> None:
    """As for pre-commit, which names each file that changed."""
    words = ("model.py", "tests/model.py", "test_model.py", "private.py")
    assert found(project, *words, force_exclude=True) == ["model.py", "private.py"]


def test_a_large_tree_is_walked_in_no_time(tmp_path: Path) -> None:
    """2,500 files under 60 lines of patterns: 60 ms are asked for, and 50 were measured."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("".join(f"made_{n}/\n*.o{n}\n" for n in range(30)))
    for folder in range(420):
        (tmp_path / f"model_{folder}").mkdir()
        for file in range(6):
            (tmp_path / f"model_{folder}/modeling_{file}.py").write_text("")
    started = time.process_time()
    targets = find_targets((".",), tmp_path)
    seconds = time.process_time() - started
    assert len(targets.files) == 2520
    assert seconds < 0.2  # a machine at work takes longer
