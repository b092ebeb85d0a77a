"""`check --watch`: a process that looks again whenever a file is edited."""

from __future__ import annotations

import os
import pty
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gptdoctor.core.errors import DoctorError
from gptdoctor.watching import is_watched, turns
from tests.cli.test_cli import HEALTHY, SICK
from tests.commands import ROOT, gptdoctor

CLEARS = "\x1b[2J"
DEADLINE_SECONDS = 120  # the machine may be busy; what is waited for takes a second


@pytest.fixture(autouse=True)
def foreground() -> Iterator[None]:
    """Ctrl-C is heard by what we start, also where a shell runs the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a sick file."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "model.py").write_text(SICK)
    return tmp_path


class Watch:
    """A watch that goes on in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))

    def until(self, *words: str) -> list[str]:
        """The lines of stderr up to one that holds all these words."""
        seen: list[str] = []
        while not seen or not all(word in seen[-1] for word in words):
            try:
                seen.append(self._lines.get(timeout=DEADLINE_SECONDS))
            except queue.Empty:
                raise AssertionError(f"waited for {words}, saw {seen}") from None
        return seen


@contextmanager
def watching(folder: Path, *words: str, stdout: int = subprocess.DEVNULL) -> Iterator[Watch]:
    """`gptdoctor check --watch WORDS`, which is killed where it has not ended by itself."""
    pytest.importorskip("watchfiles")
    with subprocess.Popen(
        [sys.executable, "-m", "gptdoctor", "check", "--watch", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Watch(process)
        finally:
            process.kill()


def ended(watch: Watch) -> int:
    """The exit code after Ctrl-C."""
    watch.process.send_signal(signal.SIGINT)
    return watch.process.wait(timeout=DEADLINE_SECONDS)


def test_an_edit_shows_what_is_gone_and_what_is_new(project: Path) -> None:
    """Against the time before; Ctrl-C ends it in one sentence, as it ends any other command."""
    with watching(project) as watch:
        first = watch.until("1 finding", "Watching")
        assert not [line for line in first if line.startswith(("new", "gone"))]
        (project / "model.py").write_text(HEALTHY)
        assert "gone critical GD101 no-grad-in-forward  model.py:13" in watch.until("1 gone")
        (project / "other.py").write_text("\n" + SICK)
        assert "new  critical GD101 no-grad-in-forward  other.py:14" in watch.until("1 new")
        # Lines that move are no news.
        (project / "other.py").write_text("\n\n" + SICK)
        assert watch.until("0 new", "0 gone")
        assert ended(watch) == 130
        assert watch.until("interrupted")[-1] == "gptdoctor: interrupted; nothing was written"


def test_what_breaks_while_it_is_edited_does_not_end_it(project: Path) -> None:
    """A file that is no Python, and a configuration that is none."""
    with watching(project) as watch:
        watch.until("1 finding")
        (project / "model.py").write_text("def (:")
        watch.until("1 gone")
        (project / "pyproject.toml").write_text("[tool.gptdoctor]\nslect = []\n")
        assert "slect" in watch.until("gptdoctor:")[-1]
        (project / "pyproject.toml").write_text("")
        (project / "model.py").write_text(SICK)
        watch.until("1 new")
        assert ended(watch) == 130


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no pseudo-terminal here")
def test_each_result_begins_on_a_clear_screen(project: Path) -> None:
    """On a terminal: a pipe gets the results one after another."""
    ours, theirs = pty.openpty()
    with watching(project, stdout=theirs) as watch:
        os.close(theirs)
        watch.until("1 finding")
        shown = os.read(ours, 65536).decode()
        assert ended(watch) == 130
    os.close(ours)
    assert CLEARS in shown
    assert "GD101" in shown.partition(CLEARS)[2]


@pytest.mark.parametrize("words", [("--write-config",), ("-",), ("nowhere.py",)])
def test_a_wrong_call_ends_at_once(project: Path, words: tuple[str, ...]) -> None:
    """Exit code 2, one sentence."""
    done = gptdoctor("check", "--watch", *words, cwd=project)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.strip().splitlines()) <= 2


def test_without_the_watcher_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra: hooks and CI do not need it."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(DoctorError) as told:
        next(turns(tmp_path))
    assert "watchfiles" in told.value.message
    assert told.value.hint == "pip install 'gptdoctor[watch]'"


@pytest.mark.parametrize(
    ("name", "watched"),
    [
        ("model.py", True),
        ("deep/down/study.ipynb", True),
        ("pyproject.toml", True),
        (".gitignore", True),
        ("notes.txt", False),
        ("model.pyc", False),
        (".git/index.py", False),
        (".venv/lib/torch/nn.py", False),
        ("node_modules/tool/setup.py", False),
    ],
)
def test_what_is_watched(tmp_path: Path, name: str, watched: bool) -> None:
    """What text can depend on, and not what programs write."""
    assert is_watched(tmp_path / name, tmp_path) is watched
