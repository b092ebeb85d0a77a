"""Patterns of `.gitignore`, held against what git itself says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gptdoctor.source.ignore_patterns import IgnorePatterns

FILES = [
    "a.py",
    "b.py",
    "old.py",
    "#hash.py",
    "!bang.py",
    "sp ace.py",
    "build/x.py",
    "lib/build/x.py",
    "lib/a.py",
    "lib/deep/a.py",
    "lib/deep/er/a.py",
    "lib/deep/er/keep.py",
    "docs/_build/conf.py",
    "tests/fixtures/cached_1_text.py",
    "x1.py",
    "x2.py",
    "xy.py",
    "x].py",
    "data",
    "nested/data/a.py",
]
# Each case is the text of one file, its lines separated by " | ".
CASES = [
    "*.py",
    "a.py",
    "/a.py",
    "build/",
    "/build/",
    "build",
    "data/",
    "lib/*.py",
    "lib/**",
    "lib/**/a.py",
    "**/deep/a.py",
    "**/a.py",
    "lib/*/a.py",
    "deep",
    "/deep",
    "lib/deep/",
    "docs/_build/",
    "tests/fixtures/cached_*_text.py",
    "x[12].py",
    "x[!12].py",
    "x[^12].py",
    "x[0-9].py",
    "x[]].py",
    "x[.py",
    "x?.py",
    r"\#hash.py",
    r"\!bang.py",
    "#hash.py",
    "sp ace.py   ",
    "*.py | !a.py",
    "*.py | !/a.py",
    "!a.py | *.py",
    "lib/* | !lib/deep/",
    "lib/ | !lib/deep/a.py",
    "/* | !/lib",
    "lib/**/er | !lib/deep/er/keep.py",
    "lib/deep/**",
    "**",
    "/**/x1.py",
    "a**.py",
    "*[.py",
    "",
    "/",
    "!",
    r"x1\.py",
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with all files, none of them tracked."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", folder], check=True)
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


@pytest.mark.parametrize("lines", CASES)
def test_git_says_the_same(repository: Path, lines: str) -> None:
    """Of every file, whether it is ignored by itself or with a folder above it."""
    text = lines.replace(" | ", "\n")
    (repository / ".gitignore").write_text(text + "\n")
    said = subprocess.run(
        ["git", "-C", repository, "check-ignore", "--stdin", "-z", "--no-index"],
        input="\0".join(FILES).encode(),
        capture_output=True,
        check=False,
    )
    ignored = set(said.stdout.decode().split("\0")) - {""}
    patterns = IgnorePatterns(text.split("\n"))
    assert {name for name in FILES if patterns.covers(name)} == ignored


def test_an_entry_that_no_pattern_matches_is_neither_ignored_nor_taken_back() -> None:
    """So that the rules of a folder further out may decide."""
    patterns = IgnorePatterns(["*.log", "!keep.py"])
    assert patterns.says("a.py", folder=False) is None
    assert patterns.says("keep.py", folder=False) is False
    assert patterns.says("a.log", folder=False) is True
    assert not IgnorePatterns(["# nothing", ""])
