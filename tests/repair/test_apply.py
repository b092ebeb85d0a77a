"""Writing: wholly old or wholly new, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gptdoctor.core.errors import RepairError
from gptdoctor.core.repairs import Patch
from gptdoctor.repair.apply import apply, recover
from gptdoctor.repair.journal import NAME, Journal

ROOT = Path(__file__).parents[2]


def patch(path: str, before: str = "old\n", after: str = "new\n") -> Patch:
    """A patch of one file."""
    return Patch(path=path, before=before, after=after)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two files in two folders."""
    (tmp_path / "a.py").write_text("old\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text("old\n")
    return tmp_path


PATCHES = [patch("a.py"), patch("sub/b.py")]


def contents(root: Path) -> dict[str, str]:
    """All files below a root with what they hold."""
    return {
        file.relative_to(root).as_posix(): file.read_text()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


OLD = {"a.py": "old\n", "sub/b.py": "old\n"}
NEW = {"a.py": "new\n", "sub/b.py": "new\n"}


def test_files_are_written_and_nothing_else_is_left(project: Path) -> None:
    """Neither copies nor a journal."""
    apply(project, PATCHES)
    assert contents(project) == NEW
    assert recover(project) is None


def test_permissions_stay(project: Path) -> None:
    """Those of the file, not those of a new one."""
    (project / "a.py").chmod(0o750)
    apply(project, PATCHES)
    assert (project / "a.py").stat().st_mode & 0o777 == 0o750


def test_the_time_of_the_file_is_new(project: Path) -> None:
    """Or stale bytecode of the same size would be run."""
    os.utime(project / "a.py", (1, 1))
    apply(project, PATCHES)
    assert (project / "a.py").stat().st_mtime > 1


def test_a_link_stays_a_link(project: Path) -> None:
    """What it leads to is replaced, even in another folder."""
    (project / "link.py").symlink_to(project / "sub" / "b.py")
    apply(project, [patch("link.py")])
    assert (project / "link.py").is_symlink()
    assert (project / "sub" / "b.py").read_text() == "new\n"


ENCODINGS = {
    "UTF-8 with a mark": (
        b"\xef\xbb\xbfx = 'old'\r\n",
        "x = 'old'\r\n",
        b"\xef\xbb\xbfx = 'new'\r\n",
    ),
    "Latin-1 by a cookie": (
        b"# -*- coding: latin-1 -*-\nx = 'old \xe9'\n",
        "# -*- coding: latin-1 -*-\nx = 'old é'\n",
        b"# -*- coding: latin-1 -*-\nx = 'new \xe9'\n",
    ),
    "mixed line ends": (b"old\r\nb\nc\r", "old\r\nb\nc\r", b"new\r\nb\nc\r"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_bytes_are_kept(name: str, project: Path) -> None:
    """Marks, encodings and line ends."""
    before, text, after = ENCODINGS[name]
    (project / "a.py").write_bytes(before)
    apply(project, [patch("a.py", text, text.replace("old", "new"))])
    assert (project / "a.py").read_bytes() == after


def changed_meanwhile(root: Path) -> None:
    """The user goes on working."""
    (root / "sub" / "b.py").write_text("mine\n")


def gone(root: Path) -> None:
    """The file is deleted."""
    (root / "sub" / "b.py").unlink()


def twice(root: Path) -> None:
    """One of the files leads to the other."""
    (root / "sub" / "b.py").unlink()
    (root / "sub" / "b.py").symlink_to(root / "a.py")


def not_text(root: Path) -> None:
    """The file holds something else."""
    (root / "sub" / "b.py").write_bytes(b"\xff\xfe\x00")


REFUSED = {
    "changed meanwhile": (changed_meanwhile, "has changed since it was examined"),
    "gone": (gone, "cannot be read"),
    "two ways to one file": (twice, "two of the patched paths lead to"),
    "no text": (not_text, "cannot be read as text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_on_an_error_nothing_is_written(name: str, project: Path) -> None:
    """Not even the files that could have been."""
    prepare, reason = REFUSED[name]
    prepare(project)
    before = sorted(path.name for path in project.rglob("*"))
    with pytest.raises(RepairError, match=reason):
        apply(project, PATCHES)
    assert (project / "a.py").read_text() == "old\n"
    assert sorted(path.name for path in project.rglob("*")) == before


def test_text_that_the_encoding_lacks_is_refused(project: Path) -> None:
    """The file stays."""
    (project / "a.py").write_bytes(b"# coding: ascii\n")
    with pytest.raises(RepairError, match="cannot be written as"):
        apply(project, [patch("a.py", "# coding: ascii\n", "# coding: ascii\n'é'\n")])
    assert (project / "a.py").read_bytes() == b"# coding: ascii\n"


@pytest.fixture
def other_user() -> Iterator[None]:
    """Root may write everywhere: become somebody who may not."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield


def test_a_read_only_folder_is_refused(project: Path, request: pytest.FixtureRequest) -> None:
    """And what could be written is not, either."""
    for place in (project, *project.parents):
        if place.is_relative_to("/tmp") and place != Path("/tmp"):
            place.chmod(0o777)
    (project / "a.py").chmod(0o666)
    (project / "sub").chmod(0o555)
    request.getfixturevalue("other_user")
    with pytest.raises(RepairError, match="may not be written"):
        apply(project, PATCHES)
    assert contents(project) == OLD


def test_a_failure_on_the_way_puts_everything_back(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first file had been replaced already."""
    replace = Path.replace

    def failing(self: Path, target: str | Path) -> Path:
        if str(target).endswith("b.py") and self.name.endswith(".new"):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(RepairError, match="No space left on device"):
        apply(project, PATCHES)
    assert contents(project) == OLD


KILLED = """
import os, signal, sys
from pathlib import Path
from gptdoctor.repair import apply as module
from gptdoctor.core.repairs import Patch

root, stage = Path(sys.argv[1]), sys.argv[2]
replace, write_copy = Path.replace, module._write_copy
count = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def replacing(self, target):
    global count
    count += 1
    if stage == f"replace {count}":
        die()
    return replace(self, target)

def copying(*args):
    global count
    count += 1
    if stage == f"copy {count}":
        die()
    write_copy(*args)
    if count == 4:
        count = 0

Path.replace, module._write_copy = replacing, copying
if stage == "finish":
    module._finish = lambda *args: die()
patches = [Patch(path=path, before="old\\n", after="new\\n") for path in ("a.py", "sub/b.py")]
module.apply(root, patches)
"""


def killed(root: Path, stage: str) -> None:
    """Run an apply that is killed at a stage."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(root), stage],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("stage", "left", "after", "told"),
    [
        ("copy 1", OLD, OLD, "undone"),
        ("copy 3", OLD, OLD, "undone"),
        ("replace 1", OLD, NEW, "finished"),
        ("replace 2", {**OLD, "a.py": "new\n"}, NEW, "finished"),
        ("finish", NEW, NEW, "finished"),
    ],
)
def test_a_kill_leaves_whole_files_and_the_next_run_ends_it(
    stage: str, left: dict[str, str], after: dict[str, str], told: str, project: Path
) -> None:
    """Before the first file is replaced it is undone, from then on it is finished."""
    killed(project, stage)
    assert {name: contents(project)[name] for name in OLD} == left
    assert told in (recover(project) or "")
    assert contents(project) == after


def test_what_the_user_changed_after_a_kill_is_left_alone(project: Path) -> None:
    """Then the rest is put back as it was."""
    killed(project, "replace 2")
    (project / "sub" / "b.py").write_text("mine\n")
    assert "undone" in (recover(project) or "")
    assert contents(project) == {"a.py": "old\n", "sub/b.py": "mine\n"}


def test_the_next_apply_ends_what_was_cut_short(project: Path) -> None:
    """And notices when it was planned on files that have become others by that."""
    killed(project, "replace 2")
    with pytest.raises(RepairError, match="has changed since"):
        apply(project, PATCHES)
    assert contents(project) == NEW


def test_a_torn_journal_means_that_nothing_was_done(project: Path) -> None:
    """Copies are made only after the plan is on the disk."""
    (project / NAME).write_bytes(b'[{"file": "/x')
    assert recover(project) is None
    assert contents(project) == OLD


def test_two_runs_do_not_write_at_once(project: Path) -> None:
    """The journal is locked while its writer lives."""
    journal = Journal(project)
    with pytest.raises(RepairError, match="another run"):
        apply(project, PATCHES)
    with pytest.raises(RepairError, match="another run"):
        recover(project)
    journal.remove()
    apply(project, PATCHES)
    assert contents(project) == NEW


def test_no_patches_write_nothing(project: Path) -> None:
    """Not even a journal, in a folder that may be read-only."""
    apply(project, [])
    assert contents(project) == OLD
