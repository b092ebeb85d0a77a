"""A partial examination laid over a whole one."""

from __future__ import annotations

from dataclasses import replace

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis
from gptdoctor.core.findings import Evidence, Finding, ModelEvidence

ModelKey = tuple[str, str]


def key_of(model: ModelDiagnosis | ModelEvidence) -> ModelKey:
    """What tells one model from another."""
    return model.path, model.name


def merged(before: Examination, after: Examination, touched: frozenset[str]) -> Examination:
    """`before` with all that `after` says anew, where the files `touched` have other texts.

    `after` may have looked at some models only: what others say of code that did not change
    still holds.
    """
    anew = {key_of(model): model for model in after.models}
    gone = [model for model in before.models if model.path in touched and key_of(model) not in anew]
    models = [anew.pop(key_of(model), model) for model in before.models if model not in gone]
    return replace(
        after,
        models=(*models, *anew.values()),
        findings=_findings(before, after, touched),
        suppressed=_suppressed(before, after, touched),
        comments=before.comments,
        remarks=before.remarks,
        files=before.files,
        seconds=before.seconds + after.seconds,
    )


def _suppressed(
    before: Examination, after: Examination, touched: frozenset[str]
) -> tuple[Finding, ...]:
    """What was set aside: of other files as before, where it was not looked at again."""
    anew = {(one.rule, one.location) for one in (*after.findings, *after.suppressed)}
    kept = [
        one
        for one in before.suppressed
        if one.location.path not in touched and (one.rule, one.location) not in anew
    ]
    return tuple(sorted((*kept, *after.suppressed), key=lambda one: (one.location, one.rule)))


def _findings(
    before: Examination, after: Examination, touched: frozenset[str]
) -> tuple[Finding, ...]:
    examined = {key_of(model) for model in after.models}
    old = {(one.rule, one.location): one for one in before.findings}
    found: list[Finding] = []
    for finding in after.findings:
        known = old.pop((finding.rule, finding.location), None)
        same = known if finding.location.path not in touched else None
        found.append(_joined(finding, same, examined) if same is not None else finding)
    for finding in old.values():
        others = [one for one in finding.models if key_of(one) not in examined]
        if finding.location.path not in touched and (others or not finding.models):
            found.append(replace(finding, models=tuple(others) or finding.models))
    return tuple(sorted(found, key=lambda one: (one.location, one.rule)))


def _joined(finding: Finding, known: Finding, examined: set[ModelKey]) -> Finding:
    """A finding with what models say of it that were not examined again."""
    others = tuple(one for one in known.models if key_of(one) not in examined)
    models = (*finding.models, *others)
    if not others:
        return finding
    strongest = min(models, key=lambda one: one.evidence.status.rank)
    evidence: Evidence = strongest.evidence
    return replace(finding, models=models, evidence=evidence, model=strongest.name, fix=known.fix)
