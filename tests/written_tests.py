"""Files that `gptdoctor prove` has written, run as a user runs them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.commands import plain_python


def run_pytest(*files: Path) -> tuple[int, str]:
    """What pytest says of files of one folder, and nothing of ours in the way."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null")
    done = plain_python(*words, *map(str, files), cwd=files[0].parent)
    return done.code, done.out


def assert_sick(*tests: Path) -> None:
    """All tests of the files fail, and their code says nothing of ours."""
    for test in tests:
        assert "gptdoctor" not in re.sub(r'""".*?"""', "", test.read_text(), flags=re.S)
    code, told = run_pytest(*tests)
    assert code == 1, told
    assert "passed" not in told
