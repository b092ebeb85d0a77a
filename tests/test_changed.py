"""Only what a branch brought in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gptdoctor.changed import BranchChanges
from gptdoctor.checkup import Checkup
from gptdoctor.config import Options
from gptdoctor.core.findings import Finding, Status
from gptdoctor.source.project import Project
from gptdoctor.source.revisions import before_branch
from tests.diagnose.found import examination, finding
from tests.source.test_revisions import git

OLD = """import torch
from torch import nn

import helper


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 8)

    @torch.no_grad()
    def forward(self, x):
        return self.head(x)

    def other(self, x):
        return self.head(x)
"""
MORE = """

class More(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 8)

    @torch.no_grad()
    def forward(self, x):
        return self.head(x)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with old code, on a branch."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'it'\n")
    (tmp_path / "model.py").write_text(OLD)
    (tmp_path / "helper.py").write_text("a = 1\n")
    git(tmp_path, "init", "-q", "-b", "main", tmp_path)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "checkout", "-q", "-b", "topic")
    return tmp_path


def new(root: Path, **options: Any) -> list[tuple[str, str, int]]:
    """What a scan shows of the branch: rule, file and line."""
    given = Options(static=True, cache=False, diff_base="main", select=("GD1", "GD501"), **options)
    with Checkup(given, root) as checkup:
        found = checkup.examine().findings
    wanted = [one for one in found if given.wants(one.rule)]
    return [(one.rule, one.location.path, one.location.line) for one in wanted]


def test_what_was_there_is_not_shown(root: Path) -> None:
    """Also where it has moved to another line, or its file to another name."""
    assert new(root) == []
    (root / "model.py").write_text("# a line more\n" + OLD)
    assert new(root) == []
    git(root, "mv", "model.py", "renamed.py")
    assert new(root) == []


def test_what_came_in_is_shown(root: Path) -> None:
    """In an old file and in a new one, committed or not."""
    (root / "model.py").write_text(OLD + MORE)
    assert new(root) == [("GD101", "model.py", 25)]
    git(root, "commit", "-q", "-am", "second")
    (root / "copied.py").write_text(OLD)
    assert new(root) == [("GD101", "copied.py", 12), ("GD101", "model.py", 25)]


def test_what_a_change_elsewhere_brought_in_is_shown(root: Path) -> None:
    """The module that an old file imports is gone: its text is old, and the finding is new."""
    git(root, "rm", "-q", "helper.py")
    assert new(root) == [("GD501", "model.py", 4)]


def run_shows(line: int, seen_by: str, **changes: Any) -> Finding:
    """A finding that a run alone shows."""
    return finding("GD801", line=line, seen_by=seen_by, status=Status.CONFIRMED, **changes)


RUN = {
    "a line that was changed": (run_shows(17, "line"), True),
    "a line that was not": (run_shows(13, "line"), False),
    "a function with a change in it": (run_shows(16, "symbol"), True),
    "a function without": (run_shows(13, "symbol"), False),
    "a file that is new": (run_shows(1, "line", path="new.py"), True),
}


@pytest.mark.parametrize(("found", "is_new"), RUN.values(), ids=RUN)
def test_what_a_run_alone_shows_is_new_where_its_lines_were_changed(
    root: Path, found: Finding, is_new: bool
) -> None:
    """The old code is not run, so that nobody knows what a run of it would show."""
    (root / "model.py").write_text(OLD[: OLD.rindex("return")] + "return 2 * self.head(x)\n")
    (root / "new.py").write_text("a = 1\n")

    def project_with(overlay: Any) -> Project:
        return Project(root=root, overlay=overlay)

    changes = BranchChanges(before_branch(root, "main"), project_with)
    judge = changes.judge(examination(found), project_with({}))
    assert (judge(found) is None) is is_new
