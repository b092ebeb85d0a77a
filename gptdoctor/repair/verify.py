"""The proof of one fix: the examination before it against the one after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, Verdict
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.core.repairs import NOT_IN_PROOFS, Outcome
from gptdoctor.repair.merge import ModelKey, key_of
from gptdoctor.repair.plan import LETS_RUN

HEALTH = (Verdict.UNTRAINABLE, Verdict.DEGRADED, Verdict.TRAINABLE)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What comparing two examinations says of a fix."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The examinations before and after one fix in one file, or after it and others."""

    finding: Finding
    order: int  # of the fix
    before: Examination
    after: Examination
    others: tuple[Finding, ...] = ()  # that were mended along with this one

    @property
    def known(self) -> list[Finding]:
        """What was found before and is no matter of the other fixes: they vouch for theirs."""
        others = {id(one) for one in self.others}
        return [one for one in self.before.findings if id(one) not in others]

    @property
    def path(self) -> str:
        """The file that was mended."""
        return self.finding.location.path

    @property
    def models(self) -> list[tuple[ModelDiagnosis, ModelDiagnosis]]:
        """The models that were examined both times."""
        after = {key_of(model): model for model in self.after.models}
        pairs = [(model, after.get(key_of(model))) for model in self.before.models]
        return [(old, new) for old, new in pairs if new is not None]


def verify(comparison: Comparison) -> Proof:
    """Proven, unproven, or failed with the first reason that was found."""
    for check in (_broken, _sign_left, _worse_models, _new_harm, _new_signs):
        reason = next(check(comparison), None)
        if reason is not None:
            return Proof(outcome=Outcome.FAILED, reason=reason)
    return _judged(comparison)


def _broken(comparison: Comparison) -> Iterator[str]:
    known = {(error.path, error.kind) for error in comparison.before.errors}
    for error in comparison.after.errors:
        if (error.path, error.kind) not in known:
            yield f"{error.path} could no longer be read: {error.message}"


def _sign_left(comparison: Comparison) -> Iterator[str]:
    """The sign must be gone from the text, and the harm from the measurements."""
    left = _same_place(comparison.after.findings, comparison.finding)
    if len(left) < len(_same_place(comparison.known, comparison.finding)):
        return
    confirmed = [one for one in left if one.evidence.status is Status.CONFIRMED]
    if confirmed:
        yield f"the probe {confirmed[0].evidence.probe} still shows the harm"
    else:
        yield "the text still shows the sign"


def _same_place(findings: Iterable[Finding], finding: Finding) -> list[Finding]:
    return [
        one
        for one in findings
        if one.rule == finding.rule
        and one.location.path == finding.location.path
        and one.symbol == finding.symbol
    ]


def _worse_models(comparison: Comparison) -> Iterator[str]:
    after = {key_of(model) for model in comparison.after.models}
    for model in comparison.before.models:
        if model.path == comparison.path and key_of(model) not in after:
            yield f"{model.name} was not found any more"
    for old, new in comparison.models:
        kept = {*new.measured, *NOT_IN_PROOFS}
        lost = [probe for probe in old.measured if probe not in kept]
        if lost:
            why = next((one.reason for one in new.unmeasured if one.probe == lost[0]), "")
            yield f"the probe {lost[0]} could no longer measure {new.name}" + (why and f": {why}")
        if old.verdict and new.verdict and _is_worse(old.verdict, new.verdict):
            yield f"{new.name} was {old.verdict.value} and became {new.verdict.value}"


def _is_worse(old: Verdict, new: Verdict) -> bool:
    """Whether a model that was examined fares worse; one that was not has nothing to lose."""
    if old not in HEALTH:
        return False
    return new not in HEALTH or HEALTH.index(new) < HEALTH.index(old)


def _new_harm(comparison: Comparison) -> Iterator[str]:
    """What is confirmed now must have been known, or be measured for the first time."""
    known = {
        (one.rule, key_of(model))
        for one in comparison.known
        for model in one.models
        if model.evidence.status is Status.CONFIRMED
    }
    known |= {  # what was told under its root
        (symptom.rule, key_of(model))
        for one in comparison.before.findings
        for symptom in one.symptoms
        for model in one.models
    }
    places = {_place(one) for one in comparison.known}
    for finding in comparison.after.findings:
        if finding.evidence.status is not Status.CONFIRMED or _place(finding) in places:
            continue
        if not finding.severity.at_least(Severity.MEDIUM):
            continue  # it costs time, or a clear word: nothing that was healthy became sick
        for model in finding.models:
            harmed = model.evidence.status is Status.CONFIRMED
            new = (finding.rule, key_of(model)) not in known
            probe = model.evidence.probe
            if harmed and new and not _newly_measured(comparison, key_of(model), probe):
                yield f"{finding.rule} {finding.name} is confirmed for {model.name} since then"


def _place(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.location.path, finding.symbol


def _newly_measured(comparison: Comparison, key: ModelKey, probe: str | None) -> bool:
    """Whether a probe could not, or not rightly, measure a model before the fix."""
    old = next((model for model in comparison.before.models if key_of(model) == key), None)
    if old is None or probe not in old.measured:
        return True
    could_not_run = old.verdict in (Verdict.UNTRAINABLE, Verdict.UNEXAMINED)
    return comparison.order <= LETS_RUN and could_not_run


def _new_signs(comparison: Comparison) -> Iterator[str]:
    """The mended text must not show other signs; an import that is found may uncover some."""
    if comparison.order == 0:
        return
    own = [one for one in comparison.after.findings if one.location.path == comparison.path]
    # What is confirmed is not for the text alone to say: see `_new_harm`.
    shown = Counter(_place(one) for one in own if one.evidence.status is not Status.CONFIRMED)
    before = Counter(_place(one) for one in comparison.known)
    for place, number in shown.items():
        if number > before[place]:
            yield f"the mended text shows {place[0]} in {place[2] or comparison.path}"


def _judged(comparison: Comparison) -> Proof:
    """Nothing speaks against the fix: whether a measurement speaks for it."""
    finding = comparison.finding
    after = {key_of(model): model for model in comparison.after.models}
    witnesses = [
        (one.evidence.probe, after[key_of(one)])
        for one in finding.models
        if one.evidence.status is Status.CONFIRMED and key_of(one) in after
    ]
    measured = [(probe, model) for probe, model in witnesses if probe in model.measured]
    if not measured:
        reason = finding.evidence.reason or "no model that was run uses this code"
        if finding.evidence.status is Status.REFUTED:
            reason = f"{finding.evidence.probe} had found no harm there"
        told = f"the sign is gone, but no probe could judge it: {reason}"
        return Proof(outcome=Outcome.UNPROVEN, reason=told)
    names = ", ".join(dict.fromkeys(model.name for _, model in measured))
    told = f"the sign is gone, {measured[0][0]} finds {names} in range, nothing else is worse"
    told += _told_new(comparison) + _told_others(comparison)
    return Proof(outcome=Outcome.PROVEN, reason=told)


def _told_new(comparison: Comparison) -> str:
    """What could not be measured before the fix, of the models that it is about."""
    about = {key_of(one) for one in comparison.finding.models}
    new = {
        probe
        for old, now in comparison.models
        if old.path == comparison.path or key_of(old) in about
        for probe in set(now.measured) - {*old.measured, *NOT_IN_PROOFS}
    }
    return f"; newly measured: {', '.join(sorted(new))}" if new else ""


def _told_others(comparison: Comparison) -> str:
    """That other fixes were in place when this was measured."""
    others = len(comparison.others)
    if not others:
        return ""
    return f"; shown together with {'another fix' if others == 1 else f'{others} other fixes'}"
