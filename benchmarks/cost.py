"""What gptdoctor costs, as ratios to `import torch` in the same run.

    python benchmarks/cost.py            # table on stdout, exit code 1 when a bound is exceeded

Each command runs as a whole process, in turn with its peer (A B A B ...), so that a machine whose
speed drifts slows both. Medians are printed with their least and greatest value. Run it on a
quiet machine: a loaded one slows the two processes of a live check more than the peer's one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODEL = "reference_models/gpto3_model.py"
DOCTOR = (sys.executable, "-m", "gptdoctor")
IMPORT_TORCH = (sys.executable, "-c", "import torch")
NOTHING = (sys.executable, "-c", "pass")
ROUNDS = 7  # odd, for a median that was measured; the first of each is a warm-up


@dataclass(frozen=True, kw_only=True)
class Case:
    """One command, the peer it is held against, and the bound it is meant to keep."""

    title: str
    command: tuple[str, ...]
    peer_title: str
    peer: tuple[str, ...]
    most_times_peer: float | None = None
    most_seconds: float | None = None


CASES = (
    Case(
        title="check, one reference model",
        command=(*DOCTOR, "check", "--no-cache", MODEL),
        peer_title="import torch",
        peer=IMPORT_TORCH,
        most_times_peer=4.0,
    ),
    Case(
        title="check, three reference models, nothing changed",
        command=(*DOCTOR, "check", "reference_models"),
        peer_title="import typer, rich",
        peer=(sys.executable, "-c", "import typer, rich"),
        most_seconds=0.5,
    ),
    Case(
        title="check --static, one reference model",
        command=(*DOCTOR, "check", "--static", MODEL),
        peer_title="python -c pass",
        peer=NOTHING,
        most_seconds=0.5,
    ),
    Case(
        title="--help",
        command=(*DOCTOR, "--help"),
        peer_title="python -c pass",
        peer=NOTHING,
        most_seconds=0.3,
    ),
)


def seconds(command: tuple[str, ...], cache: str) -> float:
    """Wall time of one run; what it prints and its exit code are of no interest here."""
    # As it is installed: a run that compiles our modules anew measures Python's compiler.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"GPTDOCTOR_CACHE_DIR": cache, "PYTHONPYCACHEPREFIX": f"{cache}/bytecode"}
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return time.perf_counter() - started


def paired(case: Case) -> tuple[list[float], list[float]]:
    """The times of a case and of its peer, taken in turn, without the warm-up.

    Each case has a folder of results of its own, which the warm-up fills.
    """
    with tempfile.TemporaryDirectory() as cache:
        rounds = [
            (seconds(case.command, cache), seconds(case.peer, cache)) for _ in range(ROUNDS + 1)
        ]
    ours, theirs = zip(*rounds[1:], strict=True)
    return list(ours), list(theirs)


def spread(times: list[float]) -> str:
    """Median, least and greatest: "4.10 s (3.98 to 4.61)"."""
    return f"{statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})"


def report(case: Case) -> bool:
    """Measure and print one case; whether it keeps its bound."""
    ours, theirs = paired(case)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    kept, bound = True, ""
    if case.most_times_peer is not None:
        kept, bound = ratio <= case.most_times_peer, f"at most {case.most_times_peer} times"
    if case.most_seconds is not None:
        kept, bound = statistics.median(ours) <= case.most_seconds, f"at most {case.most_seconds} s"
    print(f"| {case.title} | {spread(ours)} | {case.peer_title} | {spread(theirs)} "
          f"| {ratio:.1f} | {bound} | {'kept' if kept else 'EXCEEDED'} |")  # fmt: skip
    return kept


def main() -> None:
    """Print the table."""
    print("| command | wall time | peer | its wall time | ratio | bound | |")
    print("|---|---|---|---|---|---|---|")
    kept = [report(case) for case in CASES]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
