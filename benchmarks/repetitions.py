"""The same verdicts whatever the seed and the number of threads.

    python -m benchmarks.repetitions                 # 100 repetitions of 20 models
    python -m benchmarks.repetitions --repetitions 3 --models 4

Sick and healthy models of the repository are examined again and again by the probes of a proof,
in one session: each time with another seed (weights, inputs, draws) and with 1, 2 and 4 threads of
torch's in turn.  A worker has one thread, so the number is set by a line behind the model's own,
which is given to the worker in the place of its file.  What must not change is each model's
verdict, and which rules it confirms at which lines.  Exit code 1 when anything does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.examining import SECONDS, prepared_of
from gptdoctor.core.findings import Suspicion
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import NOT_IN_PROOFS
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.prepare import Prepared, suspect
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover
from gptdoctor.weigh import weigh
from gptdoctor.worker.interpreter import search_paths
from gptdoctor.worker.session import Session

ROOT = Path(__file__).parents[1]
THREADS = (1, 2, 4)
FILES = (
    *sorted((ROOT / "reference_models").glob("*.py")),
    *sorted((ROOT / "fixtures" / "healthy_models").glob("*.py")),
    ROOT / "fixtures/variants/polyphony.py",
    ROOT / "fixtures/variants/lumen_lm.py",
    ROOT / "fixtures/variants/ponder_lm.py",
    ROOT / "fixtures/styles/keyword_arguments.py",
    ROOT / "fixtures/styles/dict_config.py",
    ROOT / "fixtures/styles/encoder_decoder.py",
    ROOT / "fixtures/styles/time_first.py",
    ROOT / "fixtures/styles/loss_only.py",
    ROOT / "fixtures/styles/last_position_only.py",
    ROOT / "fixtures/styles/attributes_config.py",
    ROOT / "fixtures/styles/presets.py",
)
# What is said of a model: its verdict, and each rule with its line.
Told = tuple[str, tuple[str, ...]]


def requested(target: ModelTarget, seed: int, threads: int) -> ExamineRequest:
    """A model with a seed, and with torch's threads as its own file sets them."""
    text = (ROOT / target.path).read_text(encoding="utf-8")
    more = f"\n\n__import__('torch').set_num_threads({threads})\n"
    return ExamineRequest(
        target=target,
        root=str(ROOT),
        seed=seed,
        timeout_seconds=SECONDS,
        without=NOT_IN_PROOFS,
        overlay={target.path: text + more},
    )


def told(
    prepared: Prepared, suspicions: Sequence[Suspicion], records: Sequence[ModelRecord]
) -> Iterator[tuple[str, Told]]:
    """What one repetition says of each model."""
    findings, models = weigh(prepared, suspicions, records, live=True)
    found = defaultdict(list)
    for finding in findings:
        place = f"{finding.rule} {finding.location.words}"
        for one in finding.models:
            found[one.path, one.name].append(f"{place} {one.evidence.status.value}")
    for model in models:
        verdict = "" if model.verdict is None else model.verdict.value
        rules = tuple(sorted(found[model.path, model.name]))
        yield f"{model.path}::{model.name}", (verdict, rules)


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
    parser.add_argument("--models", type=int, help="only the first so many")
    options = parser.parse_args()
    started = time.perf_counter()
    runs: dict[str, Counter[Told]] = defaultdict(Counter)
    with Session(sys.executable, str(ROOT)) as session:
        lookup = tuple(Path(path) for path in search_paths(sys.executable))
        project = Project(root=ROOT, search_paths=lookup)
        read = [project.read(file) for file in FILES]
        targets = discover(project, [one for one in read if isinstance(one, SourceModule)])
        prepared = prepared_of(project, targets[: options.models])
        suspicions, _ = suspect(prepared)
        for seed in range(options.repetitions):
            threads = THREADS[seed % len(THREADS)]
            requests = [requested(one, seed, threads) for one in prepared.models]
            records = tuple(session.examine(requests))
            for name, answer in told(prepared, suspicions, records):
                runs[name][answer] += 1
            print(f"{seed + 1} of {options.repetitions}", file=sys.stderr)
    print(table(runs))
    differing = sum(len(answers) > 1 for answers in runs.values())
    seconds = time.perf_counter() - started
    print(f"\n{len(runs)} models, {options.repetitions} runs each, {seconds:.0f} s: ", end="")
    print(f"{differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
