"""The same verdicts whatever the seed and the number of threads.

    python -m benchmarks.repetitions                 # 100 repetitions of 20 models: an hour
    python -m benchmarks.repetitions --repetitions 5

Sick and healthy models of the repository are examined again and again by the command line, each
time with another seed (weights, inputs, draws) and with 1, 2 and 4 threads in turn.  What must
not change is each model's verdict, and which rules it confirms at which lines.  Exit code 1 when
anything does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
THREADS = (1, 2, 4)
TARGETS = (
    "reference_models",
    "fixtures/healthy_models",
    "fixtures/variants/polyphony.py",
    "fixtures/variants/lumen_lm.py",
    "fixtures/variants/ponder_lm.py",
    "fixtures/styles/keyword_arguments.py",
    "fixtures/styles/dict_config.py",
    "fixtures/styles/encoder_decoder.py",
    "fixtures/styles/time_first.py",
    "fixtures/styles/loss_only.py",
    "fixtures/styles/last_position_only.py",
    "fixtures/styles/output_kinds.py",
    "fixtures/styles/presets.py",
)
# What is said of a model: its verdict, and each rule with its line.
Told = tuple[str, tuple[str, ...]]


def told(seed: int, threads: int) -> dict[str, Told]:
    """What one run says of each model."""
    command = [sys.executable, "-m", "gptdoctor", "check", "--no-cache", "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--output-format", "json", *TARGETS],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(done.stdout)
    found = defaultdict(list)
    for finding in document["findings"]:
        for model in finding["models"]:
            place = f"{finding['rule']}:{finding['path']}:{finding['line']}"
            found[model["path"], model["name"]].append(f"{place} {model['status']}")
    return {
        f"{model['path']}::{model['name']}": (
            model["verdict"],
            tuple(sorted(found[model["path"], model["name"]])),
        )
        for model in document["models"]
    }


def table(runs: dict[str, Counter[Told]]) -> str:
    """A row for each model, with the rarer answers spelled out."""
    lines = ["| model | verdict | runs that agree | what others said |", "|---|---|---|---|"]
    for name, answers in runs.items():
        (usual, times), *others = answers.most_common()
        rest = "; ".join(f"{count} x {_difference(usual, one)}" for one, count in others)
        lines.append(f"| `{name}` | {usual[0]} | {times} of {answers.total()} | {rest} |")
    return "\n".join(lines)


def _difference(usual: Told, other: Told) -> str:
    verdict = "" if usual[0] == other[0] else f"{other[0]} "
    rules = sorted(set(usual[1]) ^ set(other[1]))
    return f"{verdict}{', '.join(rules)}".strip()


def main() -> int:
    """Run all repetitions; 1 when any answer differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repetitions", type=int, default=100)
    repetitions: int = parser.parse_args().repetitions
    runs: dict[str, Counter[Any]] = defaultdict(Counter)
    started = time.perf_counter()
    for seed in range(repetitions):
        for name, answer in told(seed, THREADS[seed % len(THREADS)]).items():
            runs[name][answer] += 1
    print(table(runs))
    differing = sum(len(answers) > 1 for answers in runs.values())
    seconds = time.perf_counter() - started
    print(f"\n{len(runs)} models, {repetitions} runs each, {seconds:.0f} s: {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
