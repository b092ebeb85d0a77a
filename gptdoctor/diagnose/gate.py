"""Whether a run passes: the exit code, and what decided it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, Verdict
from gptdoctor.core.findings import Finding, Status
from gptdoctor.diagnose.words import NAMES_SHOWN, count


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What the gate says: 0 clean, 1 findings or untrainable; 2 is for runs that could not be."""

    exit_code: int
    reasons: tuple[str, ...]


def gate(examination: Examination, options: Options) -> GateResult:
    """Hold an examination against the options."""
    reasons = tuple(_reasons(examination, options))
    trouble = examination.environment.trouble
    if options.exit_zero:
        return GateResult(exit_code=0, reasons=reasons)
    if trouble and not reasons:
        # The scan alone found nothing, which says little: a gate must not pass for want of torch.
        return GateResult(exit_code=2, reasons=(trouble,))
    return GateResult(exit_code=1 if reasons else 0, reasons=reasons)


def shown(examination: Examination, options: Options) -> tuple[Finding, ...]:
    """The findings that `--select` and `--ignore` leave."""
    return tuple(finding for finding in examination.findings if options.wants(finding.rule))


def set_aside(examination: Examination, options: Options) -> tuple[Finding, ...]:
    """The findings that `shown` would give as well, had the user not set them aside."""
    return tuple(
        one
        for one in examination.suppressed
        if options.wants(one.rule) and one.evidence.status is not Status.REFUTED
    )


def _reasons(examination: Examination, options: Options) -> Iterator[str]:
    blocking = [finding for finding in shown(examination, options) if _blocks(finding, options)]
    if blocking:
        yield f"{count(len(blocking), 'finding')} at or above {options.fail_on.value}"
    untrainable = [
        model.name
        for model in examination.models
        if model.verdict is Verdict.UNTRAINABLE and not _all_ignored(model, examination, options)
    ]
    if untrainable:
        yield f"{_some(untrainable)} {'is' if len(untrainable) == 1 else 'are'} untrainable"
    unexamined = [
        model.name
        for model in examination.models
        if model.verdict is Verdict.UNEXAMINED and not model.ignored
    ]
    if unexamined and options.strict:
        yield f"{_some(unexamined)} could not be examined (--strict)"
    if examination.errors:
        yield f"{count(len(examination.errors), 'file')} could not be read"


def _blocks(finding: Finding, options: Options) -> bool:
    refuted = finding.evidence.status is Status.REFUTED
    return not refuted and finding.severity.at_least(options.fail_on)


def _all_ignored(model: ModelDiagnosis, examination: Examination, options: Options) -> bool:
    """Whether the user set each reason aside: its rule, all that confirms it, or the reason itself.

    A reason that no rule stands behind (the loss does not fall) is known to a baseline alone.
    """
    reasons = list(zip(model.reasons, model.reason_rules, strict=False))
    return bool(reasons) and all(
        reason in model.known_reasons
        or (rule is not None and (not options.wants(rule) or _is_aside(rule, model, examination)))
        for reason, rule in reasons
    )


def _is_aside(rule: str, model: ModelDiagnosis, examination: Examination) -> bool:
    """Whether all that a model's own run confirms of a rule was set aside, and there is some."""

    def tells(finding: Finding) -> bool:
        rules = {finding.rule, *(symptom.rule for symptom in finding.symptoms)}
        return rule in rules and any(
            (one.name, one.path) == (model.name, model.path)
            and one.evidence.status is Status.CONFIRMED
            for one in finding.models
        )

    aside = any(tells(one) for one in examination.suppressed)
    return aside and not any(tells(one) for one in examination.findings)


def _some(names: list[str]) -> str:
    """The names in a row, or their number where a row would be long."""
    if len(names) > NAMES_SHOWN:
        return f"{len(names)} models"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
