"""A project as it was where a branch began, by the user's own git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gptdoctor.core.errors import UsageError
from gptdoctor.source.revisions import before_branch

LONG = "".join(f"x{number} = {number}\n" for number in range(30))


def git(folder: Path, *words: str | Path) -> str:
    """What git says."""
    own = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run([*own, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A branch that did all there is to do; `main` went on meanwhile."""
    root = tmp_path / "repository" / "project"
    (root / "pkg").mkdir(parents=True)
    for name in ("same.py", "changed.py", "pkg/moved.py", "gone.py", "naïve name.py"):
        (root / name).write_text(f"# {name}\n{LONG}".replace("x", name[0]))
    (root.parent / "outside.py").write_text("a = 1\n")
    git(tmp_path, "init", "-q", "-b", "main", root.parent)
    git(root, "add", "-A", root.parent)
    git(root, "commit", "-q", "-m", "first")
    git(root, "checkout", "-q", "-b", "topic")
    (root / "changed.py").write_text("# new\n")
    (root / "naïve name.py").write_text("# new\n")
    git(root, "mv", "pkg/moved.py", "moved_here.py")
    git(root, "rm", "-q", "gone.py")
    git(root, "commit", "-q", "-am", "second")
    (root / "moved_here.py").write_text(f"# moved and changed\n{LONG}".replace("x", "p"))
    (root / "untracked.py").write_text("a = 1\n")
    git(root, "stash", "-q", "-u")
    git(root, "checkout", "-q", "main")
    (root / "changed.py").write_text("# main went on\n")
    git(root, "commit", "-q", "-am", "third")
    git(root, "checkout", "-q", "topic")
    git(root, "stash", "pop", "-q")
    return root


def test_the_texts_are_those_of_the_last_commit_in_common(project: Path) -> None:
    """By the names that the files have now; what was not committed counts as changed."""
    before = before_branch(project, "main")
    assert {path: text.split("\n")[0] for path, text in before.texts.items()} == {
        "changed.py": "# changed.py",
        "moved_here.py": "# pkg/moved.py",
        "gone.py": "# gone.py",
        "naïve name.py": "# naïve name.py",
    }
    assert before.had("same.py")
    assert before.had("moved_here.py")
    assert not before.had("untracked.py")


def test_the_index_is_left_alone(project: Path) -> None:
    """Another git may be at work."""
    index = (project.parent / ".git/index").stat().st_mtime_ns
    (project / "same.py").touch()
    before_branch(project, "main")
    assert (project.parent / ".git/index").stat().st_mtime_ns == index


@pytest.mark.parametrize("revision", ["HEAD~1", "main~1", "HEAD"])
def test_any_revision_will_do(project: Path, revision: str) -> None:
    """A commit, a branch, what git makes of words."""
    assert before_branch(project, revision).had("same.py")


@pytest.mark.parametrize("revision", ["nowhere", "--all", "HEAD~99", ""])
def test_an_unknown_revision_is_told(project: Path, revision: str) -> None:
    """Also one that git would take for an option."""
    with pytest.raises(UsageError, match="git knows no revision"):
        before_branch(project, revision)


def test_a_branch_that_only_the_remote_has_is_guessed(project: Path, tmp_path: Path) -> None:
    """As in continuous integration, which checks out one branch alone."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--branch", "topic", project.parent, clone)
    with pytest.raises(UsageError) as error:
        before_branch(clone, "main")
    assert error.value.hint == "did you mean 'origin/main'?"


@pytest.mark.parametrize("revision", ["main", "HEAD~1", "origin/other"])
def test_a_shallow_clone_is_told_what_to_fetch(
    project: Path, tmp_path: Path, revision: str
) -> None:
    """Where the commit is not there, or not the past that it has in common."""
    git(project, "branch", "other", "main")
    clone = tmp_path / "clone"
    origin = f"file://{project.parent}"
    git(tmp_path, "clone", "-q", "--depth", "1", "--branch", "topic", origin, clone)
    if revision == "origin/other":
        git(clone, "fetch", "-q", "--depth", "1", "origin", "other:refs/remotes/origin/other")
    with pytest.raises(UsageError) as error:
        before_branch(clone, revision)
    assert "fetch-depth: 0" in error.value.hint


def test_a_folder_of_no_repository_is_told(tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(UsageError, match="is in no git repository"):
        before_branch(tmp_path, "main")


def test_branches_without_a_past_in_common_are_told(project: Path) -> None:
    """There is nothing to compare with."""
    tree = git(project, "rev-parse", "HEAD^{tree}").strip()
    orphan = git(project, "commit-tree", "-m", "alone", tree).strip()
    with pytest.raises(UsageError, match="no commit in common"):
        before_branch(project, orphan)


def test_a_machine_without_git_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="needs git"):
        before_branch(project, "main")
