"""Many models examined with all probes but full-size: findings, records, and seconds by probe."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Finding, Status, Value
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import NOT_IN_PROOFS
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.prepare import Prepared, suspect
from gptdoctor.probes.chosen import chosen_probes
from gptdoctor.probes.probe import Probe
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.weigh import weigh
from gptdoctor.worker.session import Session

# Four times the command line's limit: what a loaded machine does not finish tells of the machine.
# The table of the processor's seconds shows what would not end in time on a quiet one.
SECONDS = 240.0
BEFORE = ("import-dependencies", "construction")  # no probes
FAST, ALL = "the fast ones", "all probes"


def seconds_by_probe(records: Iterable[ModelRecord]) -> Iterator[str]:
    """Processor seconds by probe as a Markdown table, the most expensive first.

    `the fast ones` and `all probes` are sums by model, without the import and the construction.
    """
    times: dict[str, list[float]] = defaultdict(list)
    for record in records:
        told = {one.probe: one.seconds for one in record.measured}
        told |= {one.probe: one.seconds for one in record.unmeasured}
        for probe, seconds in told.items():
            times[probe].append(seconds)
        if "backward" in told:
            sums = {name: seconds for name, seconds in told.items() if name not in BEFORE}
            times[FAST].append(sum(sums[name] for name in sums if name in _fast_probes()))
            times[ALL].append(sum(sums.values()))
    yield "| probe | models | median | nine in ten | longest | all |"
    yield "|---|---|---|---|---|---|"
    rows = sorted(times.items(), key=lambda row: (row[0] in (FAST, ALL), -sum(row[1])))
    for name, each in rows:
        yield f"| {name} | {len(each)} | {_seconds(each)} | {sum(each):.1f} s |"


@cache
def _fast_probes() -> frozenset[str]:
    """What `--fast` runs; asked here, for the probes need torch."""
    chosen = chosen_probes((), fast=True)
    return frozenset(probe.name for probe in chosen if isinstance(probe, Probe))


def _seconds(times: Sequence[float]) -> str:
    ninth = sorted(times)[min(len(times) - 1, int(0.9 * len(times)))]
    return f"{statistics.median(times):.2f} s | {ninth:.2f} s | {max(times):.2f} s"


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What was told of some models of one project."""

    findings: tuple[Finding, ...]
    models: tuple[ModelDiagnosis, ...]
    records: tuple[ModelRecord, ...]

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """The findings that count: confirmed or suspected, of code that one of the models ran."""
        return tuple(
            one for one in self.findings if one.models and one.evidence.status != Status.REFUTED
        )


def examine(
    session: Session, project: Project, targets: Sequence[ModelTarget], seed: int
) -> Examined:
    """Run all probes but full-size on the targets, and weigh what they tell."""
    requests = [
        ExamineRequest(
            target=target,
            root=str(project.root),
            seed=seed,
            timeout_seconds=SECONDS,
            without=NOT_IN_PROOFS,
        )
        for target in targets
    ]
    records = tuple(session.examine(requests))
    prepared = prepared_of(project, targets)
    suspicions, _ = suspect(prepared)
    findings, models = weigh(prepared, suspicions, records, live=True)
    return Examined(findings=findings, models=models, records=records)


def prepared_of(project: Project, targets: Sequence[ModelTarget]) -> Prepared:
    """The targets with the files that they are made of."""
    paths = {target.path for target in targets}
    paths |= {part.partition("::")[0] for target in targets for part in target.family}
    read = [project.read(project.root / path) for path in sorted(paths)]
    return Prepared(
        project=project,
        modules=tuple(one for one in read if isinstance(one, SourceModule)),
        models=tuple(targets),
        ignored=(),
        errors=(),
        skipped=(),
    )


def cells_of(finding: Finding) -> str:
    """Rule, severity, status, place and values of a finding, as cells of a Markdown table."""
    place = f"`{finding.location.path}:{finding.location.line}`"
    values = ", ".join(f"{key} {_short(value)}" for key, value in finding.evidence.values.items())
    told = values or finding.evidence.reason or ""
    status = finding.evidence.status.value
    return f"{finding.rule} | {finding.severity.value} | {status} | {place} | {in_cell(told)}"


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def in_cell(text: str, characters: int = 200) -> str:
    """Text that fits into one cell of a Markdown table."""
    return " ".join(text.split())[:characters].replace("|", "/").replace("`", "'")
