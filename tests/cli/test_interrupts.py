"""Ctrl-C, pressed in a terminal while models run: one sentence, and nothing is left."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.cli.test_cli import HEALTHY
from tests.commands import ROOT, check_json
from tests.worker.conftest import defining, write

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no pseudo-terminal here")

# Marks lie beside the project: what is kept of it rests on its folder as well.
SLEEPS = defining("import time\nopen('../{name}', 'w').close()\ntime.sleep(600)\n")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
SENTENCE = "gptdoctor: interrupted; nothing was written"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder for models."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def foreground() -> Iterator[None]:
    """Ctrl-C is heard by what we start, also where a shell runs the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Interrupted:
    """How a command ended that was interrupted."""

    code: int
    out: str
    terminal: str  # what stderr, a terminal, was sent
    alive: list[psutil.Process]  # of what it had started


def interrupted(folder: Path, *words: str) -> Interrupted:
    """Run `gptdoctor WORDS`, and press Ctrl-C twice once the mark "began" is there."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm",
        "GPTDOCTOR_CACHE_DIR": str(folder.parent / "cache"),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "gptdoctor", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        text=True,
    ) as doctor:
        os.close(theirs)
        deadline = time.monotonic() + 120
        while not (folder.parent / "began").exists():
            assert time.monotonic() < deadline
            assert doctor.poll() is None, doctor.communicate()
            time.sleep(0.05)
        family = psutil.Process(doctor.pid).children(recursive=True)
        for _ in range(2):
            os.killpg(doctor.pid, signal.SIGINT)
            time.sleep(0.02)
        out, _ = doctor.communicate(timeout=30)
    assert family
    _, alive = psutil.wait_procs(family, timeout=10)
    return Interrupted(doctor.returncode, out, everything(ours), alive)


def everything(terminal: int) -> str:
    """What a pseudo-terminal was sent that nobody writes to any more."""
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # how Linux tells the end
        pass
    os.close(terminal)
    return shown.decode()


def last_line(terminal: str) -> str:
    """What a person sees at the end, below all that was drawn and wiped away."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal)
    return plain.rstrip().replace("\r", "\n").rpartition("\n")[2]


def assert_ended(end: Interrupted, sentence: str) -> None:
    """No result, no process, no traceback, the cursor back, and the sentence for a farewell."""
    assert (end.code, end.out, end.alive) == (130, "", [])
    assert last_line(end.terminal) == sentence
    assert "Traceback" not in end.terminal
    assert end.terminal.count(HIDE_CURSOR) == end.terminal.count(SHOW_CURSOR)


def test_an_interrupt_ends_a_repair_and_all_that_it_started(project: Path) -> None:
    """While a model that is built never ends; nor does a second Ctrl-C disturb the ending."""
    hangs = "open('../began', 'w').close(); [*iter(int, 1)]"
    write(project, {"model.py": HEALTHY.replace("super().__init__()", hangs)})
    assert_ended(interrupted(project, "fix", "--no-cache", "model.py"), SENTENCE)


def test_what_was_measured_before_an_interrupt_is_kept(project: Path) -> None:
    """Two files hang when they are imported, side by side: what the model between them told need
    not be measured again, and that is said.
    """
    write(
        project,
        {
            "a.py": SLEEPS.format(name="first") + HEALTHY,
            "b.py": HEALTHY,
            "c.py": SLEEPS.format(name="began") + HEALTHY,
        },
    )
    end = interrupted(project, "check", "--jobs", "2", "a.py", "b.py", "c.py")
    assert_ended(end, f"{SENTENCE}, and what 1 model told is kept for the next run")
    [model] = check_json("b.py", cwd=project, cache=project.parent / "cache")["models"]
    assert model["cached"]
    assert model["verdict"] == "trainable"
