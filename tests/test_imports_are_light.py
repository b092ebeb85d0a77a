"""What a command must not load: torch, libcst and rich are for those that need them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "the checkup": ("gptdoctor.checkup", {"torch", "libcst", "rich", "typer"}),
    "the scan": ("gptdoctor.scan", {"torch", "libcst", "rich", "typer", "psutil"}),
    "the defects": ("gptdoctor.catalog", {"torch", "libcst", "rich", "typer", "psutil"}),
    "the command line": ("gptdoctor.cli.main", {"torch", "libcst"}),
    "repair": ("gptdoctor.repair.repair", {"torch", "rich", "typer"}),
}


@pytest.mark.parametrize(("module", "heavy"), HEAVY.values(), ids=HEAVY)
def test_importing_loads_nothing_heavy(module: str, heavy: set[str]) -> None:
    """Start-up pays only for what the command needs, directly and through others."""
    code = f"import sys, {module}; print(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())
