"""`--output-format` and `--output-file`: which format goes where."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from gptdoctor.cli.outputs import Output, planned, prefixes, write_all
from gptdoctor.core.errors import DoctorError, UsageError
from gptdoctor.report.checked import Checked
from tests.cli.test_cli import SICK
from tests.commands import gptdoctor
from tests.report import samples

CHECKED = Checked(examination=samples.REFERENCE, gate=samples.FAILED)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the command is given in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "file", "expected"),
    [
        (None, None, [Output("text", None)]),
        (["json"], None, [Output("json", None)]),
        (["JSON"], Path("a.json"), [Output("json", Path("a.json"))]),
        (["text,sarif:a.sarif"], None, [Output("text", None), Output("sarif", Path("a.sarif"))]),
        (
            ["junit:a.xml", "github"],
            Path("b.txt"),
            [Output("junit", Path("a.xml")), Output("github", Path("b.txt"))],
        ),
    ],
)
def test_every_format_has_its_place(
    words: list[str] | None, file: Path | None, expected: list[Output]
) -> None:
    """One on stdout or in --output-file, the others in files of their own."""
    assert planned(words, file) == tuple(expected)


@pytest.mark.parametrize(
    ("words", "file", "complaint"),
    [
        (["sarf"], None, "there is no output format 'sarf'; did you mean 'sarif'?"),
        (["text,json"], None, "text and json would all be printed in one place"),
        (["sarif:"], None, "'sarif:' names no file"),
        (["sarif:no/a.sarif"], None, "there is no folder 'no'"),
        (["sarif:."], None, ". cannot be written: it is a folder"),
        (["sarif:a,json:a"], None, "two formats would be written to "),
        (["sarif:a"], Path("b"), "--output-file has no format left"),
    ],
)
def test_a_wrong_place_is_told_before_anything_runs(
    words: list[str], file: Path | None, complaint: str
) -> None:
    """In one sentence: a check may take minutes."""
    with pytest.raises(UsageError) as raised:
        planned(words, file)
    assert complaint in raised.value.message


def test_a_file_is_replaced_at_once_and_keeps_its_link_and_its_rights(folder: Path) -> None:
    """Nothing else is left beside it."""
    target, link = folder / "old.json", folder / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_all([Output("json", link)], CHECKED)
    assert link.is_symlink()
    assert json.loads(target.read_text())["summary"]["exit_code"] == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["link.json", "old.json"]


def test_a_pipe_is_written_to_and_stays_one(folder: Path) -> None:
    """What is no plain file is not replaced."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        try:
            write_all([Output("concise", pipe)], CHECKED)
            out, _ = reader.communicate(timeout=60)
        finally:
            reader.kill()  # it waits for a writer, however long
    assert "GD101 critical confirmed" in out
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_written_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was there before is there still."""
    target = folder / "old.json"
    target.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DoctorError, match=r"old\.json cannot be written: No space left on device"):
        write_all([Output("json", target)], CHECKED)
    assert target.read_text() == "old"
    assert [*folder.glob("*old.json*")] == [target]


def test_paths_begin_at_the_repository_for_ci_and_here_for_editors(folder: Path) -> None:
    """Whatever the project's root is."""
    project, below = folder / "python", folder / "python" / "pkg"
    below.mkdir(parents=True)
    assert prefixes(project, project) == ("", "")
    (folder / ".git").mkdir()
    assert prefixes(project, folder) == ("python/", "python/")
    assert prefixes(project, below) == ("python/", "../")


def test_several_formats_in_one_run(folder: Path) -> None:
    """The exit code is the same, stdout holds the one without a file, stderr names the files."""
    (folder / ".git").mkdir()
    (folder / "python").mkdir()
    (folder / "python" / "pyproject.toml").touch()
    (folder / "python" / "sick.py").write_text(SICK)
    words = ("check", "--static", "--output-format", "concise,sarif:a.sarif,gitlab:b.json")
    done = gptdoctor(*words, "python", cwd=folder)
    assert done.code == 1
    assert done.out.startswith("python/sick.py:13:6: GD101 critical suspected ")
    assert done.err == "wrote a.sarif\nwrote b.json\n"
    assert "python/sick.py" in (folder / "a.sarif").read_text()
    assert json.loads((folder / "b.json").read_text())[0]["location"]["path"] == "python/sick.py"
    done = gptdoctor("check", "--static", "--output-format", "githb", "python", cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'github'?" in done.err
