"""A short page in GitHub's Markdown: the summary of a job, or a comment at a pull request.

Verdicts, then findings by rule where they are many, then each with its place, the worst first.
A comment takes 65,536 characters; what does not fit is left out from the end, and the page says
how much that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from gptdoctor.core.diagnosis import Examination, Verdict
from gptdoctor.core.findings import Finding
from gptdoctor.report.amounts import capital, count, duration, joined
from gptdoctor.report.aside import aside_sentence
from gptdoctor.report.blocks import Block, Document, Paragraph, Table
from gptdoctor.report.checked import Checked
from gptdoctor.report.entries import Entry, entries_of
from gptdoctor.report.markdown import render
from gptdoctor.report.prose import Inline, listed, literally, prose, sentence
from gptdoctor.report.rule_counts import rule_counts

LONGEST = 65_000  # bytes; GitHub counts characters, and a few more may stand around it
LEAST = 60  # bytes of a row: with severity, rule, place and message it is never shorter
MANY = 20  # findings; more are told by rule first
_ORDER = list(Verdict)


def write(checked: Checked, stream: TextIO) -> None:
    """The page with as many of the entries as it can hold."""
    entries = entries_of(checked.examination, checked.in_repository)
    shown = min(len(entries), LONGEST // LEAST)
    page = _page(checked, entries, shown)
    while len(page.encode()) > LONGEST and shown:
        # By the share that is too long, and at least one less.
        shown = min(shown - 1, shown * LONGEST // len(page.encode()))
        page = _page(checked, entries, shown)
    stream.write(page)


def _page(checked: Checked, entries: Sequence[Entry], shown: int) -> str:
    title = "gptdoctor: failed" if checked.gate.exit_code else "gptdoctor: passed"
    blocks = (
        Paragraph(_head(checked)),
        *_models(checked.examination),
        *_by_rule(checked.examination.findings),
        *_entries(entries[:shown]),
        *_left_out(len(entries) - shown),
    )
    return render(Document(title=title, blocks=blocks))


def _head(checked: Checked) -> Inline:
    examination = checked.examination
    counted = rule_counts(examination.findings)
    found = count(sum(one.findings for one in counted), "finding").capitalize()
    read = f"{count(examination.files, 'file')} read in {duration(examination.seconds)}"
    how = "" if examination.environment.live else "; nothing was run, so all are suspected"
    parts: list[str | Inline] = [literally(found, "strong"), f" in {read}{how}."]
    if examination.environment.trouble:
        parts += [f" No model was run: {examination.environment.trouble}."]
    if checked.gate.reasons:
        parts += [" ", literally(f"{capital(joined(checked.gate.reasons))}.")]
    for told in filter(None, (aside_sentence(examination), *examination.remarks)):
        parts += [" ", literally(capital(told))]
    return sentence(*parts)


def _models(examination: Examination) -> Iterator[Block]:
    """The verdicts, the worst first; the trainable ones by their number."""
    run = [one for one in examination.models if one.verdict is not None]
    told = [one for one in run if one.verdict is not Verdict.TRAINABLE]
    trainable = len(run) - len(told)
    told.sort(key=lambda one: (_ORDER.index(one.verdict or Verdict.TRAINABLE), one.path, one.line))
    if told:
        rows = tuple(
            (
                literally(one.name, "strong"),
                literally(one.verdict.value if one.verdict else ""),
                listed((prose(why) for why in one.reasons[:1]), "; "),
            )
            for one in told[:MANY]
        )
        yield Table(_titled("Model", "Verdict", "Why"), rows)
    if len(told) > MANY:
        yield Paragraph(prose(f"And {count(len(told) - MANY, 'model')} more of this kind."))
    if trainable:
        yield Paragraph(prose(f"{count(trainable, 'model').capitalize()} can be trained."))


def _by_rule(findings: Sequence[Finding]) -> Iterator[Block]:
    counted = rule_counts(findings)
    if sum(one.findings for one in counted) > MANY:
        rows = tuple(
            (
                literally(one.severity.value, f"severity.{one.severity.value}"),
                literally(f"{one.rule} {one.name}"),
                literally(str(one.findings)),
                literally(str(one.files)),
            )
            for one in counted
        )
        yield Table(_titled("Severity", "Rule", "Findings", "Files"), rows)


def _entries(entries: Sequence[Entry]) -> Iterator[Block]:
    if entries:
        rows = tuple(_row(entry) for entry in entries)
        yield Table(_titled("Severity", "What", "Where", "Why"), rows)


def _row(entry: Entry) -> tuple[Inline, ...]:
    known = f" ({entry.status.value})" if entry.status else ""
    return (
        literally(entry.severity.value, f"severity.{entry.severity.value}"),
        literally(f"{entry.title}{known}"),
        literally(entry.location.words, "path"),
        prose(entry.message),
    )


def _left_out(number: int) -> Iterator[Block]:
    if number:
        told = f"{count(number, 'line')} more would be too long for a comment: "
        told += "`--output-format concise` prints all of them."
        yield Paragraph(prose(capital(told)))


def _titled(*heads: str) -> tuple[Inline, ...]:
    return tuple(prose(head) for head in heads)
