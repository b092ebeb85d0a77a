"""Which model is the best base for training, and which findings count against a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, Verdict
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.report.amounts import Values

_BEST_FIRST = (Verdict.TRAINABLE, Verdict.DEGRADED, Verdict.UNTRAINABLE, Verdict.UNEXAMINED, None)
# Without these two nothing is known of how a model learns.
_DECISIVE = ("gradient-flow", "learning")


def status_in(finding: Finding, model: ModelDiagnosis) -> Status | None:
    """How well a finding is known of this model; None: it does not concern it."""
    for witness in finding.models:
        if (witness.name, witness.path) == (model.name, model.path):
            return witness.evidence.status
    alone = not finding.models and finding.location.path == model.path
    return finding.evidence.status if alone else None


def findings_of(model: ModelDiagnosis, findings: Sequence[Finding]) -> list[Finding]:
    """The findings that hold, or may hold, for one model, worst first."""
    held = (Status.CONFIRMED, Status.SUSPECTED)
    mine = [finding for finding in findings if status_in(finding, model) in held]
    return sorted(mine, key=lambda one: (one.severity.rank, one.location))


def severities(findings: Sequence[Finding]) -> Counter[Severity]:
    """How many findings there are of each severity."""
    return Counter(finding.severity for finding in findings)


def best_first(examination: Examination) -> list[ModelDiagnosis]:
    """The models, the best base for training first.

    By verdict; then a critical finding weighs most, since it makes the model learn the wrong
    thing; then a model that was seen to learn goes before one of which that is not known; then
    the other findings from high to low; then the steps that it took to learn a batch.
    """

    def rank(model: ModelDiagnosis) -> tuple[float | str, ...]:
        found = severities(findings_of(model, examination.findings))
        unknown = sum(probe not in model.measured for probe in _DECISIVE)
        tenth = Values(model.facts).integer("steps_to_tenth")
        return (
            _BEST_FIRST.index(model.verdict),
            found[Severity.CRITICAL],
            unknown,
            *(found[severity] for severity in Severity if severity is not Severity.CRITICAL),
            float("inf") if tenth is None else tenth,
            model.name,
        )

    return sorted(examination.models, key=rank)
