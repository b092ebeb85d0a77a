"""What `--write-config` wrote, told in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gptdoctor.report.amounts import some
from gptdoctor.report.layout import print_line
from gptdoctor.report.prose import visible


def print_written(console: Console, root: Path, added: Sequence[str], kept: Sequence[str]) -> None:
    """The lines that were added to the file, and the entries that were left as they were."""
    file = str(root / "pyproject.toml")
    if kept:
        print_line(console, f"kept as they are: your entries of {visible(some(kept))}")
    if not added:
        print_line(console, "nothing to add to ", (visible(file), "path"))
        return
    print_line(console, "wrote to ", (visible(file), "path"), ":")
    for line in added:
        print_line(console, f"  {visible(line)}")
