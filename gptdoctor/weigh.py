"""What was suspected and what was measured, weighed: findings, and a diagnosis of each model."""

from __future__ import annotations

from collections.abc import Sequence

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Finding, Suspicion, Value
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.diagnose.facts import facts_of, measured_probes, specimen_of, unmeasured_probes
from gptdoctor.diagnose.join import Judged, join
from gptdoctor.diagnose.notes import notes_of, set_aside_declared
from gptdoctor.diagnose.to_write import to_write
from gptdoctor.diagnose.verdict import verdict_of
from gptdoctor.judge import judge
from gptdoctor.prepare import Prepared
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.told_models import ignored


def weigh(
    prepared: Prepared,
    suspicions: Sequence[Suspicion],
    records: Sequence[ModelRecord],
    *,
    live: bool,
) -> tuple[tuple[Finding, ...], tuple[ModelDiagnosis, ...]]:
    """The findings and the models; without records no model was run."""
    project = prepared.project
    judged = [
        Judged(record=record, convictions=set_aside_declared(project, tuple(judge(record))))
        for record in records
    ]
    findings = tuple(join(project, list(suspicions), judged, live=live))
    left_alone = tuple(ignored(model, live=live) for model in prepared.ignored)
    if not records:
        return findings, (*(_not_run(model) for model in prepared.models), *left_alone)
    told = (_diagnose(project, record, findings) for record in records)
    return findings, (*told, *left_alone)


def _not_run(model: ModelTarget) -> ModelDiagnosis:
    return ModelDiagnosis(
        name=model.name, path=model.path, line=model.line, verdict=None, reasons=()
    )


def _diagnose(project: Project, record: ModelRecord, findings: Sequence[Finding]) -> ModelDiagnosis:
    verdict, reasons = verdict_of(record, findings)
    return ModelDiagnosis(
        name=record.target.name,
        path=record.target.path,
        line=record.target.line,
        verdict=verdict,
        reasons=tuple(reason.text for reason in reasons),
        reason_rules=tuple(reason.rule for reason in reasons),
        specimen=specimen_of(record),
        facts=facts_of(record) | _module_fact(project, record.target),
        measured=measured_probes(record),
        unmeasured=unmeasured_probes(record),
        notes=notes_of(project, record),
        to_write=to_write(project, record),
        output=record.output,
        cached=record.cached,
    )


def _module_fact(project: Project, target: ModelTarget) -> dict[str, Value]:
    """The name that the model's file is imported by, for code that a user can paste."""
    module = project.read(project.root / target.path)
    return {"module": module.dotted} if isinstance(module, SourceModule) else {}
