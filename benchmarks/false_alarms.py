"""Everything that is held against models which others use: each finding is to be looked at by hand.

    python -m benchmarks.false_alarms                        # causal LMs of transformers
    python -m benchmarks.false_alarms Llama GPT2             # whose names hold one of these words
    python -m benchmarks.false_alarms --packages SCRATCH     # models of other packages as well
    python -m benchmarks.false_alarms -o benchmarks/false_alarms.md

Examined with all probes but full-size: every class of transformers' `MODEL_FOR_CAUSAL_LM_MAPPING`
(as `causal_models.py` does) and, with the folder that `packages.py` has filled, the models of
`packages_models.txt`.  The table has every finding with what was measured, every probe that did
not measure with its reason, and the seconds by probe.

What was found of a finding by reading the code stands in `false_alarms_judged.txt`, a line each:
rule, path, symbol, and the judgement.  Exit code 1: a critical or high finding has none.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import causal_models, packages
from benchmarks.examining import Examined, cells_of, examine, in_cell, seconds_by_probe
from benchmarks.outcome import outcome_of
from gptdoctor.core.findings import Finding, Severity
from gptdoctor.source.project import Project
from gptdoctor.worker.interpreter import search_paths
from gptdoctor.worker.session import Session

JUDGED = Path(__file__).with_name("false_alarms_judged.txt")
TRANSFORMERS = "transformers"


@dataclass(frozen=True, kw_only=True)
class Part:
    """What was told of the models of one package."""

    package: str
    told: Examined


def of_transformers(words: Sequence[str]) -> Part:
    """The classes of the mapping, or those whose names hold one of the words."""
    folder = causal_models.package()
    names = causal_models.class_names(folder)
    names = [name for name in names if not words or any(word in name for word in words)]
    targets = list(causal_models.targets(folder, names))
    project = _project(folder.parent, sys.executable)
    with Session(sys.executable, str(project.root)) as session:
        return Part(package=TRANSFORMERS, told=examine(session, project, targets, 0))


def of_packages(scratch: Path, words: Sequence[str]) -> Iterator[Part]:
    """The models of other packages, package by package."""
    python = str(scratch / "env/bin/python")
    for folder in packages.folders(scratch):
        targets = [one.target for one in packages.requests(folder, list(words))]
        if not targets:
            continue
        print(f"{folder.name}: {len(targets)} models", file=sys.stderr)
        project = _project(folder, python)
        with Session(python, str(folder)) as session:
            told = examine(session, project, targets, 0)
        yield Part(package=folder.name, told=told)


def _project(root: Path, python: str) -> Project:
    return Project(root=root, search_paths=tuple(Path(path) for path in search_paths(python)))


def judgements() -> dict[tuple[str, str, str], str]:
    """What was judged by hand, by rule, path and symbol."""
    lines = JUDGED.read_text().splitlines() if JUDGED.exists() else []
    told = (line.split(maxsplit=3) for line in lines if line and not line.startswith("#"))
    return {(rule, path, symbol): text for rule, path, symbol, text in told}


def key_of(finding: Finding) -> tuple[str, str, str]:
    """What a judgement is kept under: lines move from release to release, names do not."""
    return finding.rule, finding.location.path, finding.symbol or "-"


def found(parts: Sequence[Part], judged: dict[tuple[str, str, str], str]) -> Iterator[str]:
    """The table of findings, the worst first, and how many there are by rule."""
    rows = [(part.package, one) for part in parts for one in part.told.alarms]
    rows.sort(key=lambda row: (row[1].severity.rank, row[1].rule, row[0]))
    yield "| package | model | rule | severity | status | place | values | judged |"
    yield "|---|---|---|---|---|---|---|---|"
    for package, one in rows:
        models = in_cell(", ".join(dict.fromkeys(model.name for model in one.models)), 80)
        judgement = judged.get(key_of(one), "")
        yield f"| {package} | {models} | {cells_of(one)} | {judgement} |"
    count = Counter(f"{one.rule} {one.evidence.status.value}" for _, one in rows)
    yield f"\n{len(rows)} findings: {dict(sorted(count.items()))}"


def unjudged(parts: Sequence[Part], judged: dict[tuple[str, str, str], str]) -> int:
    """How many critical or high findings nobody has judged."""
    return sum(
        one.severity.at_least(Severity.HIGH) and key_of(one) not in judged
        for part in parts
        for one in part.told.alarms
    )


def not_examined(parts: Sequence[Part]) -> Iterator[str]:
    """The models that were not built or did not finish, with the reason."""
    records = [(part.package, record) for part in parts for record in part.told.records]
    outcomes = [(package, outcome_of(record)) for package, record in records]
    failed = [(package, one) for package, one in outcomes if one.kind]
    yield f"{len(outcomes) - len(failed)} of {len(outcomes)} models examined.\n"
    yield "| package | model | outcome | reason |\n|---|---|---|---|"
    for package, one in failed:
        yield f"| {package} | {one.name} | {one.cells} |"


def unmeasured(parts: Sequence[Part]) -> Iterator[str]:
    """The probes that did not measure models that were built, by probe and reason."""
    examples: dict[tuple[str, str], list[str]] = {}
    built = 0
    for part in parts:
        for record in part.told.records:
            if outcome_of(record).kind:
                continue  # told above, with the reason that all of its probes have
            built += 1
            for one in record.unmeasured:
                reason = in_cell(one.reason, 160)
                examples.setdefault((one.probe, reason), []).append(record.target.name)
    yield f"Of the {built} models that were examined:\n"
    yield "| probe | why it did not measure | models | such as |\n|---|---|---|---|"
    for (probe, reason), names in sorted(examples.items(), key=lambda row: -len(row[1])):
        yield f"| {probe} | {reason} | {len(names)} | {', '.join(names[:3])} |"


def report(parts: Sequence[Part], command: str) -> Iterator[str]:
    """All tables as Markdown."""
    yield f"# What is held against models that others use\n\n    {command}\n"
    yield "## Findings\n"
    yield from found(parts, judgements())
    yield "\n## Not examined\n"
    yield from not_examined(parts)
    yield "\n## Not measured\n"
    yield from unmeasured(parts)
    yield "\n## Seconds of the processor by probe\n"
    yield from seconds_by_probe(one for part in parts for one in part.told.records)


def main() -> None:
    """Examine, write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--packages", type=Path, metavar="SCRATCH")
    parser.add_argument("--no-transformers", action="store_true", help="other packages alone")
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    parts = [] if asked.no_transformers else [of_transformers(asked.words)]
    if asked.packages is not None:
        parts += of_packages(asked.packages.resolve(), asked.words)
    words = ["python -m benchmarks.false_alarms", *asked.words]
    words += ["--packages SCRATCH"] if asked.packages is not None else []
    words += ["--no-transformers"] if asked.no_transformers else []
    text = "\n".join(report(parts, " ".join(words))) + "\n"
    if asked.output is None:
        print(text, end="")
    else:
        asked.output.write_text(text)
    sys.exit(1 if unjudged(parts, judgements()) else 0)


if __name__ == "__main__":
    main()
