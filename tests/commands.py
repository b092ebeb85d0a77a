"""Running the command line as a user does: a process, its output and its exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.ready.client import Command, run_ready

ROOT = Path(__file__).parents[1]
BY_A_RUN = "by a run"
COMMAND = "gptdoctor_command"
EXPECTED = re.compile(r"#\s*expect:\s*(GD\d{3}(?:\s*,\s*GD\d{3})*)")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON on stdout; fails with what was said when there is none."""
        try:
            return dict(json.loads(self.out))
        except ValueError as error:
            said = f"{self.out[-500:]}{self.err[-2000:]}"
            raise AssertionError(f"exit {self.code}: {said}") from error


def gptdoctor(
    *words: str | Path,
    cwd: Path = ROOT,
    seconds: float = 240,
    cache: Path | None = None,
    stdin: bytes = b"",
) -> Done:
    """Run `gptdoctor WORDS` in `cwd`, answered from the results in `cache`; None: from none.

    In a fork of a process that is ready for it; `started` is for tests of how a process starts.
    """
    with TemporaryDirectory() as empty:
        variables = {**variables_of_a_command(), "GPTDOCTOR_CACHE_DIR": str(cache or empty)}
        command = Command(COMMAND, [str(word) for word in words], cwd, variables, stdin)
        return Done(*run_ready(command, seconds))


def started(*words: str | Path, cwd: Path = ROOT, seconds: float = 240) -> Done:
    """Run `gptdoctor WORDS` as a user starts it: in a new process, that imports what it needs."""
    done = subprocess.run(
        [sys.executable, "-m", "gptdoctor", *map(str, words)],
        cwd=cwd,
        env=variables_of_a_command(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def plain_python(*words: str, cwd: Path = ROOT, stdin: str = "") -> Done:
    """Run `python -m MODULE WORDS` or `python -c CODE`, that finds nothing of ours."""
    variables = {**os.environ, "PYTHONPATH": ""}
    return Done(*run_ready(Command("plain_python", words, cwd, variables, stdin.encode()), 600))


def variables_of_a_command() -> dict[str, str]:
    """The environment in which it finds this gptdoctor, and prints alike everywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}


def check_json(*words: str | Path, cwd: Path = ROOT, cache: Path | None = None) -> dict[str, Any]:
    """The document of `gptdoctor check --output-format json`."""
    return gptdoctor("check", "--output-format", "json", *words, cwd=cwd, cache=cache).document


def examined(folder: Path, root: Path | None = None) -> dict[str, Any]:
    """The document of a checkup of all files below a folder of the project.

    Without the pass at full size, which takes as long as all else: to name all files leaves it out.
    """
    words = ("examined", str(folder), str(root or folder))
    command = Command(COMMAND, words, ROOT, variables_of_a_command())
    return Done(*run_ready(command, seconds=600)).document


def expected_in(file: Path, *, in_text: bool = False) -> set[tuple[str, int]]:
    """Rule and line of each `# expect:` comment of a fixture.

    With `in_text` those that end with "by a run" are left out: no text shows them.
    """
    return {
        (code.strip(), number)
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if (found := EXPECTED.search(line)) and not (in_text and line.endswith(BY_A_RUN))
        for code in found.group(1).split(",")
    }
