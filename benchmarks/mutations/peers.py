"""gptdoctor and its peers on the same cases, in one run.

    python -m benchmarks.mutations.peers                  # all mutants, all bases, all traps
    python -m benchmarks.mutations.peers --development --per-operator 1 --traps 5

torchtest, torcheck and preflight-ml (`peers.txt`) are put into a folder of their own, without
their dependencies, and asked about every mutant with a proven effect, every base and every healthy
trap.  A fault is found where a peer raises an alarm about the mutant that it does not raise about
its base; an alarm about a base or a trap is a false one.  Prints Markdown.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.mutations.cases import ROOT, Case
from benchmarks.mutations.chosen import chosen, options_of
from benchmarks.mutations.doctor import Examined, examine
from benchmarks.mutations.packaged import scratch
from benchmarks.mutations.peer_checks import LINES, PEERS
from benchmarks.mutations.table import judged
from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Severity, Status
from gptdoctor.prove import harness
from gptdoctor.report.json_document import from_document

TRAPS = ROOT / "fixtures" / "healthy_traps"
SECONDS = 3600.0


def installed() -> Path:
    """The folder with the peers, filled when it is first asked for."""
    folder = scratch() / "peers"
    if not folder.exists():
        requirements = Path(__file__).with_name("peers.txt")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--target", str(folder), "-r", str(requirements)]
        subprocess.run(command, check=True)
    return folder


def traps(most: int | None) -> tuple[list[dict[str, str]], int]:
    """The traps with logits, as code that builds and calls them; and gptdoctor's own alarms.

    `most`: at most so many files, for a trial.
    """
    files = [str(file) for file in sorted(TRAPS.glob("*.py"))[:most]]
    command = [sys.executable, "-m", "gptdoctor", "check", "--output-format", "json", "--exit-zero"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=True)
    examination = from_document(json.loads(done.stdout))
    alarms = [
        one
        for one in examination.findings
        if one.evidence.status is Status.CONFIRMED and one.severity.at_least(Severity.HIGH)
    ]
    models = [m for m in examination.models if m.specimen is not None and m.specimen.logits]
    return [_as_code(model) for model in models], len(alarms)


def _as_code(model: ModelDiagnosis) -> dict[str, str]:
    assert model.specimen is not None
    wanted = "build() random_ids() logits()"
    lines = ["import torch", *model.specimen.imports, *harness.constants(model, wanted)]
    lines += harness.functions(model, model.specimen, wanted)
    folder = str(ROOT / harness.folder(model))
    name = f"trap/{model.path}::{model.name}"
    return {"name": name, "folder": folder, "text": "\n".join(lines)}


def answers(cases: list[Case], healthy: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """What each peer says of each case and trap, by name."""
    asked = [{"name": one.name, "host": one.host.name, "source": one.source} for one in cases]
    asked += healthy
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mutations.peer_runs"],
        cwd=ROOT,
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(installed())])},
        text=True,
        check=True,
        timeout=SECONDS,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line["said"] for line in lines}


def table(
    mutants: list[Case],
    bases: list[Case],
    said: dict[str, dict[str, str]],
    ours: tuple[int, int, int],
) -> Iterator[str]:
    """A row for each tool."""
    known = {case.host.name: said[case.name] for case in bases}
    healthy = [one for name, one in said.items() if name.startswith("trap/")]
    yield "| tool | faults found | false alarms, bases | false alarms, traps | lines to write |"
    yield "|---|---|---|---|---|"
    found, on_bases, on_traps = ours
    counts = {"gptdoctor": (found, on_bases, on_traps)}
    for peer in PEERS:
        seen = Counter(
            bool(said[one.name].get(peer)) and not known[one.host.name].get(peer) for one in mutants
        )
        counts[peer] = (
            seen[True],
            sum(bool(one.get(peer)) for one in known.values()),
            sum(bool(one.get(peer)) for one in healthy),
        )
    for tool, (faults, base, trap) in counts.items():
        share = f"{faults} of {len(mutants)} ({faults / max(len(mutants), 1):.0%})"
        yield (
            f"| {tool} | {share} | {base} of {len(bases)} | {trap} of {len(healthy)} "
            f"| {LINES[tool]} |"
        )


def main() -> None:
    """Make the cases, ask everybody, tell."""
    parser = options_of(__doc__)
    parser.add_argument("--traps", type=int, help="at most so many healthy traps")
    options = parser.parse_args()
    result, mutants = chosen(options)
    folder = scratch() / "cases"
    folder.mkdir(exist_ok=True)
    bases = {case.host.name: one for case, one in examine(result.bases, folder)}
    found = sum(_is_found(case, one, bases) for case, one in examine(mutants, folder))
    false = sum(bool(_serious(one)) for one in bases.values())
    healthy, alarms = traps(options.traps)
    said = answers([*mutants, *result.bases], healthy)
    print("\n".join(table(mutants, result.bases, said, (found, false, alarms))))


def _is_found(case: Case, examined: Examined, bases: dict[str, Examined]) -> bool:
    return judged(case, examined, bases[case.host.name]).found


def _serious(examined: Examined) -> list[object]:
    return [one for one in examined.confirmed if one.severity in ("critical", "high")]


if __name__ == "__main__":
    main()
