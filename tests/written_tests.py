"""Files that `gptdoctor prove` has written, run as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def run_pytest(*files: Path) -> tuple[int, str]:
    """What pytest says of files of one folder, and nothing of ours in the way."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    done = subprocess.run(
        [*command, *map(str, files)],
        cwd=files[0].parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def assert_sick(*tests: Path) -> None:
    """All tests of the files fail, and their code says nothing of ours."""
    for test in tests:
        assert "gptdoctor" not in re.sub(r'""".*?"""', "", test.read_text(), flags=re.S)
    code, told = run_pytest(*tests)
    assert code == 1, told
    assert "passed" not in told
