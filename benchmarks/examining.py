"""Many models examined with all probes but full-size: findings, records, and seconds by probe."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.events import Event, ModelFinished, ProbeStarted
from gptdoctor.core.findings import Finding, Status, Value
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import NOT_IN_PROOFS
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.prepare import Prepared, suspect
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.weigh import weigh
from gptdoctor.worker.session import Session

SECONDS = 60.0  # the default of the command line
BEFORE = ("import", "construction")  # stages that are no probes


@dataclass
class Clock:
    """A listener that learns how long each probe takes from when the next one begins.

    Wall time, as it reaches the parent: fair on a machine that has a core for each job.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    models: list[float] = field(default_factory=list)  # of all probes of one model
    _running: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _sums: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    def __call__(self, event: Event) -> None:
        """Hear of one event."""
        match event:
            case ProbeStarted():
                self._end((event.path, event.name))
                self._running[event.path, event.name] = (event.probe, perf_counter())
            case ModelFinished():
                self._end((event.path, event.name))
                if (event.path, event.name) in self._sums:
                    self.models.append(self._sums.pop((event.path, event.name)))

    def _end(self, model: tuple[str, str]) -> None:
        probe, started = self._running.pop(model, ("", 0.0))
        if probe:
            took = perf_counter() - started
            self.seconds[probe].append(took)
            if probe not in BEFORE:
                self._sums[model] += took

    def table(self) -> Iterator[str]:
        """Seconds by probe as a Markdown table, the most expensive first."""
        yield "| stage | models | median | nine in ten | longest | all |"
        yield "|---|---|---|---|---|---|"
        rows = [*self.seconds.items()]
        rows.sort(key=lambda row: -sum(row[1]))
        for name, times in [*rows, ("all probes", self.models)]:
            if times:
                yield f"| {name} | {len(times)} | {_seconds(times)} | {sum(times):.1f} s |"


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
    session: Session, project: Project, targets: Sequence[ModelTarget], seed: int, clock: Clock
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
    records = tuple(session.examine(requests, clock))
    prepared = prepared_of(project, targets)
    findings, models = weigh(prepared, suspect(prepared), records, live=True)
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
