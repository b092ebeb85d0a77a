"""Every healthy trap on many seeds: how often is something held against a model that is healthy?

    python -m benchmarks.healthy_traps                # 20 seeds: about 20 minutes
    python -m benchmarks.healthy_traps --seeds 3

The traps are the files of `fixtures/healthy_traps`, examined with all probes but full-size, which
is no matter of seeds.  An alarm is a finding of medium severity or more that is confirmed or
suspected, but for GD601 where the file has no loss indeed; and a verdict other than "trainable".
Exit code 1: there is one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.examining import Examined, cells_of, examine, seconds_by_probe
from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.findings import Finding, Severity
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover
from gptdoctor.worker.interpreter import search_paths
from gptdoctor.worker.session import Session

FOLDER = Path(__file__).parents[1] / "fixtures" / "healthy_traps"
# Their losses are in the scripts that train them.
WITHOUT_LOSS = {"time_first.py": "GD601", "no_positions.py": "GD601"}


def is_alarm(finding: Finding) -> bool:
    """Whether a finding of a healthy model counts against the tool."""
    excused = WITHOUT_LOSS.get(finding.location.path) == finding.rule
    return finding.severity.at_least(Severity.MEDIUM) and not excused


def complaints(seed: int, told: Examined) -> list[tuple[str, str]]:
    """The alarms of one seed: the rule or the verdict, and a row of the table."""
    found = [
        (one.rule, f"| {seed} | {one.model} | {cells_of(one)} |")
        for one in told.alarms
        if is_alarm(one)
    ]
    for model in told.models:
        if model.verdict is not Verdict.TRAINABLE:
            verdict = "" if model.verdict is None else model.verdict.value
            reasons = "; ".join(model.reasons)
            found.append((verdict, f"| {seed} | {model.name} | {verdict} | | | | {reasons} |"))
    return found


def main() -> None:
    """Examine, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    seeds = range(parser.parse_args().seeds)
    started = time.perf_counter()
    lookup = tuple(Path(path) for path in search_paths(sys.executable))
    project = Project(root=FOLDER, search_paths=lookup)
    read = [project.read(file) for file in sorted(FOLDER.glob("*.py"))]
    targets = discover(project, [one for one in read if isinstance(one, SourceModule)])
    records, rows = list[ModelRecord](), list[tuple[str, str]]()
    unmeasured = Counter[tuple[str, str]]()
    with Session(sys.executable, str(FOLDER)) as session:
        for seed in seeds:
            told = examine(session, project, targets, seed)
            records += told.records
            rows += complaints(seed, told)
            unmeasured.update((one.probe, m.name) for m in told.models for one in m.unmeasured)
            print(f"seed {seed}: {len(rows)} alarms so far", file=sys.stderr)
    print("| seed | model | rule | severity | status | place | values |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(row for _, row in rows))
    print(f"\n{len(targets)} traps on {len(seeds)} seeds: {len(rows)} alarms; "
          f"by rule: {dict(Counter(kind for kind, _ in rows))}; "
          f"{time.perf_counter() - started:.0f} s\n")  # fmt: skip
    print("| probe | not measured on | times |\n|---|---|---|")
    for (probe, name), times in sorted(unmeasured.items()):
        print(f"| {probe} | {name} | {times} |")
    print("", *seconds_by_probe(records), sep="\n")
    sys.exit(1 if rows else 0)


if __name__ == "__main__":
    main()
