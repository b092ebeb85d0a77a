"""Files that `gptdoctor prove` has written, run as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def run_pytest(file: Path) -> tuple[int, str]:
    """What pytest says of a file, and nothing of ours in the way."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    done = subprocess.run(
        [*command, str(file)], cwd=file.parent, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def assert_sick(test: Path) -> None:
    """All tests of the file fail, and its code says nothing of ours."""
    assert "gptdoctor" not in re.sub(r'""".*?"""', "", test.read_text(), flags=re.S)
    code, told = run_pytest(test)
    assert code == 1, told
    assert "passed" not in told
