"""Whether a model can be trained, and why (not)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import GradientCut, GradientFlow, LostGradient
from gptdoctor.core.measurements.import_dependencies import ImportFailure
from gptdoctor.core.measurements.learning import Learning
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.diagnose.reasons import (
    construction_of,
    crash_sentence,
    ending_sentence,
    machine_lacks,
    missing_import,
    needed_failure,
    tells_of_lack,
    what_blocks,
)
from gptdoctor.diagnose.sane_sizes import size_crashes
from gptdoctor.diagnose.words import count, some

# A healthy model of the tool's sizes loses 10 % of its first loss within 28 steps (nine in ten of
# 163 measured); one that has not after hundreds makes no progress on a batch it could memorise.
LEAST_DROP = 0.10
# Signals that a process earns by its own deed. SIGKILL and SIGTERM come from outside (a limit of
# memory, an operator), and say nothing of the model.
OWN_SIGNALS = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS"})
IN_PLACE = "GD105"
# What these find takes part in the loss, and the optimizer knows nothing of it.
UNREACHABLE = frozenset({"GD103", "GD104"})
# Without these two nothing is known of training, and no verdict but "unexamined" is honest.
DECISIVE_PROBES = ("gradient-flow", "learning")


@dataclass(frozen=True)
class Reason:
    """Why a model has its verdict, and the rule behind it where there is one."""

    text: str
    rule: str | None = None


def verdict_of(
    record: ModelRecord, findings: Sequence[Finding]
) -> tuple[Verdict, tuple[Reason, ...]]:
    """The verdict of one model with its reasons; the worst that is proven decides."""
    confirmed = tuple(confirmed_in(record.target, findings))
    untrainable = tuple(dict.fromkeys(_untrainable(record, confirmed)))  # two probes may say one
    if untrainable:
        return Verdict.UNTRAINABLE, untrainable
    unexamined = tuple(Reason(text) for text in _unexamined(record))
    if unexamined:
        return Verdict.UNEXAMINED, unexamined
    degraded = tuple(
        Reason(_finding_sentence(finding), finding.rule)
        for finding in confirmed
        if finding.severity.at_least(Severity.HIGH)
    )
    return (Verdict.DEGRADED, degraded) if degraded else (Verdict.TRAINABLE, ())


def confirmed_in(target: ModelTarget, findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings that this model's own measurements confirm."""
    for finding in findings:
        if any(
            (model.name, model.path) == (target.name, target.path)
            and model.evidence.status is Status.CONFIRMED
            for model in finding.models
        ):
            yield finding


def _untrainable(record: ModelRecord, confirmed: Sequence[Finding]) -> Iterator[Reason]:
    yield from _dies(record)
    if machine_lacks(record) is not None:
        return  # what fails then says nothing of the model
    yield from _cannot_exist(record, confirmed)
    cut = [*_cut(record, confirmed), *_unreachable(confirmed)]
    yield from cut
    yield from _crashes(record, confirmed)
    yield from _does_not_learn(record, confirmed, explained=bool(cut))


def _cannot_exist(record: ModelRecord, confirmed: Sequence[Finding]) -> Iterator[Reason]:
    """Not imported or not constructed because of a defect of its own."""
    construction = construction_of(record)
    if construction is None or construction.outcome != "crashed" or construction.crash is None:
        return
    failure = needed_failure(record)
    if failure is not None:
        # A package that the project declares is missing here, not in the model: then the rule
        # has confirmed nothing of this import, and the model is unexamined.
        if any(_is_of(finding, failure) for finding in confirmed):
            missing = missing_import(record)
            yield Reason(f"cannot be built: the import at {missing} does not resolve", "GD501")
        return
    crash = construction.crash
    if crash.stage == "import" or (crash.path is not None and not crash.raised_there):
        what = "run" if crash.stage == "forward" else "built"
        yield Reason(f"cannot be {what}: {crash_sentence(crash)}", _rule_at(crash, confirmed))


def _is_of(finding: Finding, failure: ImportFailure) -> bool:
    """Whether a finding is about this import."""
    where = finding.location
    return finding.rule == "GD501" and where.path == failure.path and where.covers(failure.line)


def _dies(record: ModelRecord) -> Iterator[Reason]:
    """The process ended by the model's own deed."""
    ending = record.ending
    if ending.kind == "exit" or (ending.kind == "signal" and ending.detail in OWN_SIGNALS):
        yield Reason(ending_sentence(ending))


def _crashes(record: ModelRecord, confirmed: Sequence[Finding]) -> Iterator[Reason]:
    """Forward, backward or the optimizer step fails at sane sizes."""
    for condition, sized in size_crashes(record):
        text = f"fails {condition}: {crash_sentence(sized)}"
        yield Reason(text, _rule_at(sized, confirmed))
    for measured in record.measured:
        measurement = measured.measurement
        if isinstance(measurement, GradientFlow | Learning):
            crash = measurement.crash
            if crash is None or crash.raised_there or tells_of_lack(crash):
                continue
            refused = crash.stage == "forward" and _rule_at(crash, confirmed) == IN_PLACE
            if crash.stage in ("backward", "step") or refused:
                yield _failed_step(crash, confirmed)


def _failed_step(crash: Crash, confirmed: Sequence[Finding]) -> Reason:
    """Backward or the optimizer's step fails; the write that is to blame is another line's."""
    write = next((one for one in confirmed if one.rule == IN_PLACE), None)
    if write is not None and crash.stage == "backward":
        place = f"{write.location.path}:{write.location.line}"
        return Reason(f"backward fails: it needs what {place} writes over", IN_PLACE)
    return Reason(f"{crash.stage} fails: {crash_sentence(crash)}", _rule_at(crash, confirmed))


def _rule_at(crash: Crash, confirmed: Sequence[Finding]) -> str | None:
    """The rule that was confirmed in the function that crashed."""
    for finding in confirmed:
        if finding.location.path == crash.path and finding.symbol == crash.symbol:
            return finding.rule
    return None


def _does_not_learn(
    record: ModelRecord, confirmed: Sequence[Finding], *, explained: bool
) -> Iterator[Reason]:
    """The loss does not fall; where a cut explains that no step is possible, it alone is told."""
    for measured in record.measured:
        measurement = measured.measurement
        if not isinstance(measurement, Learning) or measurement.crash or not measurement.runs:
            continue
        first = measurement.runs[0].first_loss
        if not any(run.steps for run in measurement.runs):
            if not explained:
                yield Reason("no step can be taken: the loss reaches no parameter")
            continue
        best = min(run.best_loss for run in measurement.runs)
        steps = max(run.steps for run in measurement.runs)
        if not math.isfinite(first):
            told = "the loss is not finite before the first step"
            yield Reason(told, _first_of(("GD902",), confirmed))
        elif best > first * (1 - LEAST_DROP):
            yield Reason(
                f"the loss does not fall on one small batch: {first:.2f} before, "
                f"{best:.2f} at best in {steps} steps",
                _first_of(("GD902", "GD903"), confirmed),
            )


def _first_of(rules: Sequence[str], confirmed: Sequence[Finding]) -> str | None:
    """The first of some rules that is confirmed."""
    known = {finding.rule for finding in confirmed}
    return next((rule for rule in rules if rule in known), None)


def _cut(record: ModelRecord, confirmed: Sequence[Finding]) -> Iterator[Reason]:
    """A parameter that the forward uses gets no gradient because the graph is cut."""
    for measured in record.measured:
        if not isinstance(measured.measurement, GradientFlow):
            continue
        known: set[str] = set()  # a statement under no_grad is no second reason
        for cut in measured.measurement.cuts:
            rule = _rule_of_cut(cut, confirmed)
            if cut.parameters_gained and rule is not None:
                known.update(cut.parameters_gained)
                yield _kept_from(cut, cut.parameters_gained, rule)
        for lost in measured.measurement.lost:
            rule = _rule_of_cut(lost, confirmed)
            names = [name for name in lost.parameters if name not in known]
            if lost.acts and names and rule is not None:
                known.update(names)
                yield _kept_from(lost, names, rule)


def _kept_from(cut: GradientCut | LostGradient, names: Sequence[str], rule: str) -> Reason:
    operation = cut.operation.strip("_")
    return Reason(
        f"{operation} at {cut.path}:{cut.line} keeps the gradient from "
        f"{count(len(names), 'parameter')} ({some(names)})",
        rule,
    )


def _unreachable(confirmed: Sequence[Finding]) -> Iterator[Reason]:
    """Weights that no optimizer of the model's parameters ever changes."""
    for finding in confirmed:
        if finding.rule in UNREACHABLE:
            yield Reason(_finding_sentence(finding), finding.rule)


def _rule_of_cut(cut: GradientCut | LostGradient, confirmed: Sequence[Finding]) -> str | None:
    for finding in confirmed:
        here = finding.location.path == cut.path and finding.rule.startswith("GD1")
        if here and (finding.symbol == cut.symbol or finding.location.covers(cut.line)):
            return finding.rule
    return None


def _unexamined(record: ModelRecord) -> Iterator[str]:
    """Why too little was measured for a verdict."""
    blocked = what_blocks(record)
    if blocked is not None:
        yield blocked
    elif record.ending.kind != "finished":
        yield ending_sentence(record.ending)
    else:
        yield from _unmeasured(record)


def _unmeasured(record: ModelRecord) -> Iterator[str]:
    """The decisive probes that did not measure, those with the same reason together."""
    probes: dict[str, list[str]] = {}
    for unmeasured in record.unmeasured:
        if unmeasured.probe in DECISIVE_PROBES:
            probes.setdefault(unmeasured.reason, []).append(unmeasured.probe)
    for measured in record.measured:
        crash = getattr(measured.measurement, "crash", None)
        if measured.probe in DECISIVE_PROBES and crash is not None:
            probes.setdefault(crash_sentence(crash), []).append(measured.probe)
    for reason, names in probes.items():
        verb = "was" if len(names) == 1 else "were"
        yield f"{' and '.join(names)} {verb} not measured: {reason}"


def _finding_sentence(finding: Finding) -> str:
    place = f"{finding.location.path}:{finding.location.line}"
    return f"{finding.rule} {finding.name} at {place}, confirmed by {finding.evidence.probe}"
