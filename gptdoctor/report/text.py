"""`gptdoctor check` in the terminal: findings, verdicts, what could not be seen, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from gptdoctor.core.cells import place_words
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, SkippedFile, Verdict
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.diagnose.gate import GateResult
from gptdoctor.report.amounts import count, duration, joined, some, whole
from gptdoctor.report.aside import aside_sentence
from gptdoctor.report.finding_words import worst_first
from gptdoctor.report.layout import print_labelled, print_line, print_wrapped, prose_width
from gptdoctor.report.next_step import all_places, next_step, why
from gptdoctor.report.prose import Inline, visible
from gptdoctor.report.rule_counts import RuleCount, rule_counts
from gptdoctor.report.text_findings import MANY, print_findings
from gptdoctor.report.text_models import print_model, verdict_role, verdict_word

MODELS_NAMED = 8  # of which only the text was read; more are told by their number


def print_examination(
    console: Console,
    examination: Examination,
    *,
    gate: GateResult | None = None,
    targets: Sequence[str] = (),
    trace: bool = False,
) -> None:
    """The whole result; `targets` are named again in the command that comes next.

    With `trace` the way of the data to each finding that has one.
    """
    models = sorted(examination.models, key=lambda one: (one.path, one.line))
    live = examination.environment.live
    print_findings(console, examination.findings, models, live=live, trace=trace)
    for model in models if live or len(models) <= MODELS_NAMED else ():
        print_model(console, model)
        if live or model is models[-1]:
            console.print()
    _print_errors(console, examination)
    _print_rules(console, _real(examination))
    for line in _summary(examination, gate):
        print_wrapped(console, line, rest="  ")
    findings = _real(examination)
    if not live and len(findings) > MANY:
        _print_next(console, all_places(len(findings), targets))
    if findings:
        _print_next(console, why(_first_told(findings)))
    if examination.files or live:
        _print_next(console, next_step(findings, targets, live=live))


def _first_told(findings: Sequence[Finding]) -> str:
    """The rule that a reader sees first: of many findings in the table, else at the top."""
    return (rule_counts(findings) if len(findings) > MANY else worst_first(findings))[0].rule


def _print_rules(console: Console, findings: Sequence[Finding]) -> None:
    """Of many findings: each rule in a line, the worst first, so that the end tells it all."""
    if len(findings) <= MANY:
        return
    counted = rule_counts(findings)
    widths = [
        max(len(text) for text in column) for column in zip(*map(_cells, counted), strict=True)
    ]
    for one in counted:
        severity, rule, number, files = _cells(one)
        role = f"severity.{severity}"
        line = Text.assemble((severity, role), " " * (widths[0] - len(severity) + 2))
        line.append(rule, style="rule").append(" " * (widths[1] - len(rule) + 2))
        line.append(number.rjust(widths[2])).append(f"  in {files}", style="aside")
        print_line(console, line)
    console.print()


def _cells(one: RuleCount) -> tuple[str, str, str, str]:
    files = count(one.files, "file")
    return one.severity.value, f"{one.rule} {one.name}", whole(one.findings), files


def _print_errors(console: Console, examination: Examination) -> None:
    for error in examination.errors:
        kind = error.kind.replace("-", " ")
        place = visible(place_words(error.path, error.line, error.in_cell))
        print_line(console, (kind, "error"), " ", (place, "path"))
        print_wrapped(console, Text(visible(error.message)), first="  ", rest="  ")
    for told in _skipped(examination.skipped):
        print_labelled(console, "skipped", "label", Text(visible(told)), indent=0)
    if examination.errors or examination.skipped:
        console.print()


def _skipped(skipped: Sequence[SkippedFile]) -> Iterator[str]:
    """The files in which there is nothing to examine, by reason."""
    for reason in dict.fromkeys(one.reason for one in skipped):
        yield f"{some([one.path for one in skipped if one.reason == reason])}: {reason}"


def _real(examination: Examination) -> list[Finding]:
    """The findings that may be real."""
    return [one for one in examination.findings if one.evidence.status is not Status.REFUTED]


def _print_next(console: Console, following: Inline) -> None:
    """The next command, never broken, and what it does."""
    if not following:
        return
    text = Text.assemble(*((span.text, span.role) for span in following))
    told = following[-1].text
    if text.cell_len - len(told) <= prose_width(console):
        print_wrapped(console, text, rest="  ")
        return
    print_line(console, text[: -len(told)])
    print_wrapped(console, Text(told.strip()), first="  ", rest="  ")


def _summary(examination: Examination, gate: GateResult | None) -> Iterator[Text]:
    yield _counted(_real(examination), live=examination.environment.live)
    if aside := aside_sentence(examination):
        yield Text(aside)
    for remark in examination.remarks:
        yield Text(visible(remark))
    yield _verdicts(examination)
    if examination.environment.trouble:
        trouble = visible(examination.environment.trouble)
        yield Text.assemble(("No model was run", "error"), f": {trouble}.")
    for limit in examination.environment.unlimited:
        yield Text(f"This system keeps no {limit}.")
    trouble_alone = gate is not None and gate.reasons == (examination.environment.trouble,)
    if gate is not None and gate.reasons and not trouble_alone:
        head = ("Failed", "error") if gate.exit_code else ("Would fail", "strong")
        yield Text.assemble(head, f": {visible(joined(gate.reasons))}.")


def _counted(findings: Sequence[Finding], *, live: bool) -> Text:
    """How many findings, how bad and how well known."""
    text = Text(count(len(findings), "finding").capitalize(), style="strong")
    if not findings:
        return text.append(".")
    severities = Counter(one.severity for one in findings)
    known = [severity for severity in Severity if severities[severity]]
    for index, severity in enumerate(known):
        text.append(", " if index else ": ", style="not bold")
        text.append(
            f"{whole(severities[severity])} {severity.value}", style=f"severity.{severity.value}"
        )
    if not live:
        return text.append("; nothing was run, so all are suspected (--static).", style="not bold")
    statuses = Counter(one.evidence.status for one in findings)
    told = [f"{statuses[status]} {status.value}" for status in Status if statuses[status]]
    every = "all confirmed" if len(told) == 1 and statuses[Status.CONFIRMED] > 1 else None
    return text.append(f"; {every or ', '.join(told)}.", style="not bold")


def _verdicts(examination: Examination) -> Text:
    """How many models got which verdict, and how much was read."""
    read = f"{count(examination.files, 'file').capitalize()} read in "
    read += f"{duration(examination.seconds)}{_from_cache(examination.models)}."
    if not examination.files:
        return Text("No files read: of .py and .ipynb, exclude and .gitignore leave none.")
    if not examination.models and not examination.environment.live:
        return Text(read)  # no model was looked for
    if not examination.models:
        return Text.assemble(("No model found.", "strong"), " ", read)
    text = Text(count(len(examination.models), "model").capitalize(), style="strong")
    verdicts = Counter(model.verdict for model in examination.models)
    known = [verdict for verdict in (*Verdict, None) if verdicts[verdict]]
    for index, verdict in enumerate(known):
        text.append(", " if index else ": ", style="not bold")
        text.append(f"{verdicts[verdict]} {verdict_word(verdict)}", style=verdict_role(verdict))
    return text.append(f". {read}", style="not bold")


def _from_cache(models: Sequence[ModelDiagnosis]) -> str:
    """How many of the models were not run because their results are known."""
    cached = sum(model.cached for model in models)
    if not cached:
        return ""
    return ", results from the cache" if cached == len(models) else f", {cached} from the cache"
