"""How long a scan takes beside its peers, on one tree in one run, and where our time goes.

    python -m benchmarks.scan_speed SCRATCH [--tree FOLDER] [--torchfix PYTHON] [--rounds 5]

The tree, by default `transformers/models` with the package around it, is copied into SCRATCH, where
a file of it is edited.  Every command is a whole process; ours and ruff's run in turn, and medians
are printed with their least and greatest value.  torchfix, of another environment and for minutes,
runs once.  A Markdown table goes to stdout.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks.scan_parts import parts_of

ROOT = Path(__file__).parents[1]
RUFF = ("check", "--no-cache", "--isolated", "--select", "ALL", "-q", "--statistics", "--exit-zero")


@dataclass(kw_only=True)
class Run:
    """One command, and what its rounds took, in seconds of the wall and of the processors."""

    title: str
    command: tuple[str, ...]
    before: Callable[[], None] = lambda: None
    rounds: list[tuple[float, float]] = field(default_factory=list)

    def time(self, environment: dict[str, str]) -> None:
        """Run the command once."""
        self.before()
        used, started = _processor_seconds(), time.perf_counter()
        done = subprocess.run(self.command, capture_output=True, env=environment)
        wall = time.perf_counter() - started
        if done.returncode not in (0, 1):
            raise SystemExit(f"{self.title}: {done.stderr.decode(errors='replace')[-2000:]}")
        self.rounds.append((wall, _processor_seconds() - used))

    @property
    def wall(self) -> float:
        """The median of the wall times."""
        return statistics.median(wall for wall, _ in self.rounds)

    def row(self, peer: float) -> str:
        """A line of the table."""
        walls = [wall for wall, _ in self.rounds]
        cpu = statistics.median(used for _, used in self.rounds)
        spread = f"{self.wall:.2f} s ({min(walls):.2f} to {max(walls):.2f})"
        return f"| {self.title} | {spread} | {cpu:.2f} s | {self.wall / peer:.2f} |"


def main() -> None:
    """Time all commands, and print the table."""
    asked = _arguments()
    compileall.compile_dir(ROOT / "gptdoctor", quiet=1)  # as pip leaves what it installs
    tree = _copied(asked.tree, asked.scratch)
    environment = {**os.environ, "GPTDOCTOR_CACHE_DIR": str(asked.scratch / "cache")}
    doctor: tuple[str, ...] = (sys.executable, "-m", "gptdoctor", "check", "--static")
    doctor = (*doctor, "--exit-zero", "--output-format", "json")
    comments, statements = _edits(tree, _with_comment), _edits(tree, _with_statement)
    runs = [
        Run(title="ruff, all rules, no cache", command=(_ruff(), *RUFF, str(tree))),
        Run(title="gptdoctor, no cache", command=(*doctor, "--no-cache", str(tree))),
        Run(title="gptdoctor, nothing changed", command=(*doctor, str(tree))),
        Run(
            title="gptdoctor, a comment added to one file",
            command=(*doctor, str(tree)),
            before=lambda: next(comments),
        ),
        Run(
            title="gptdoctor, a statement added to a method of one file",
            command=(*doctor, str(tree)),
            before=lambda: next(statements),
        ),
    ]
    runs[2].time(environment)  # fills the cache
    runs[2].rounds.clear()
    for _ in range(asked.rounds):
        for run in runs:
            run.time(environment)
    if asked.torchfix is not None:
        command = (str(asked.torchfix), "-m", "torchfix", "--select=ALL", str(tree))
        slow = Run(title="torchfix, all rules", command=command)
        slow.time(environment)
        runs.append(slow)
    _print(tree, runs)


def _print(tree: Path, runs: list[Run]) -> None:
    files = list(tree.rglob("*.py"))
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files)} files, {size:.1f} MB, {len(os.sched_getaffinity(0))} processors.\n")
    print("| command | wall | processors | times ruff |\n|---|---|---|---|")
    for run in runs:
        print(run.row(runs[0].wall))
    print("\nWhere the time of the scan goes, in seconds of one processor:\n")
    print("| part | seconds |\n|---|---|")
    for part, seconds in parts_of(tree, files):
        print(f"| {part} | {seconds:.2f} |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--tree", type=Path, default=None)
    parser.add_argument("--torchfix", type=Path, default=None, help="a Python that has torchfix")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _copied(tree: Path | None, scratch: Path) -> Path:
    """The tree as a folder that may be written to, with the package that it belongs to."""
    if tree is None:
        spec = find_spec("transformers")
        if spec is None or spec.origin is None:
            raise SystemExit("transformers is not installed: name a folder with --tree")
        package, inner = Path(spec.origin).parent, "models"
    else:
        package, inner = tree, "."
    place = scratch / "project" / package.name
    if not place.exists():
        shutil.copytree(package, place, ignore=shutil.ignore_patterns("__pycache__"))
        (scratch / "project" / "pyproject.toml").touch()
    return (place / inner).resolve()


def _edits(tree: Path, edited: Callable[[str, int], str]) -> Iterator[None]:
    """Each time one file more, of those that others ask for their classes, is edited."""
    files = sorted(tree.rglob("modeling_*.py")) or sorted(tree.rglob("*.py"))
    for number in range(1_000_000):
        file = files[number * 37 % len(files)]
        file.write_text(edited(file.read_text(), number))
        yield


def _with_comment(text: str, number: int) -> str:
    return f"{text}# edit {number}\n"


def _with_statement(text: str, number: int) -> str:
    """The text with a line more before the first that returns from a method."""
    found = re.search(r"^        return\b", text, re.MULTILINE)
    at = found.start() if found else len(text)
    return f"{text[:at]}        edited = {number}\n{text[at:]}" if found else f"{text}edited = 1\n"


def _ruff() -> str:
    beside = Path(sys.executable).with_name("ruff")
    found = str(beside) if beside.exists() else shutil.which("ruff")
    if found is None:
        raise SystemExit("ruff is not installed")
    return found


def _processor_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
