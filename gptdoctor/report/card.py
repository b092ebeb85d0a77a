"""An examination of one model or a few, short, for a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from gptdoctor.core.cells import place_words
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis
from gptdoctor.core.findings import Finding, Status
from gptdoctor.report.amounts import duration
from gptdoctor.report.finding_words import fix_sentence, worst_first
from gptdoctor.report.html import FAINT, badge, code_html, element, inline_html
from gptdoctor.report.next_step import next_step
from gptdoctor.report.pasted import is_pasted, joined_words
from gptdoctor.report.prose import Inline, Span, literally, prose, sentence, visible
from gptdoctor.report.text_models import lines_of, verdict_role, verdict_word
from gptdoctor.report.wording import evidence_sentence

_CARD = (
    "font-family:system-ui,sans-serif;font-size:14px;line-height:1.5;max-width:64em;margin:4px 0"
)
# Rows and no table: notebooks paint the rows of tables.
_ROW = "display:flex;gap:0.9em"
_LABEL = f"flex:0 0 6.2em;text-align:right;{FAINT}"
_ROWS = "margin:0.3em 0"
_FINDING = "margin:0.7em 0 0 0;padding:0 0 0 0.8em;border-left:3px solid rgba(127,127,127,0.35)"


def examination_html(examination: Examination, *, targets: Sequence[str] = ()) -> str:
    """The verdict of each model first, then what was found; refuted findings by their number."""
    parts = [*map(_model, examination.models)]
    ranked = worst_first(examination.findings)
    shown = [one for one in ranked if one.evidence.status is not Status.REFUTED]
    parts += [element("div", "".join(_finding(one)), _FINDING) for one in shown]
    parts.append(element("div", _end(examination, shown, targets), f"margin-top:0.8em;{FAINT}"))
    return element("div", "".join(parts), _CARD)


def _model(model: ModelDiagnosis) -> str:
    where = visible(place_words(model.path, model.line, model.in_cell))
    head = (
        f"{element('b', escape(visible(model.name)), 'font-size:1.15em')}&ensp;"
        f"{badge(verdict_word(model.verdict), verdict_role(model.verdict))}&ensp;"
        f"{element('span', inline_html(literally(where, 'path')), FAINT)}"
    )
    told = ((label, _pasted(text) if is_pasted(text) else text) for label, text in lines_of(model))
    return element("div", head + _rows(told), "margin-top:0.5em")


def _pasted(text: Inline) -> Inline:
    """What a user may paste, in the letters of code."""
    return (Span(joined_words(text), "code"),)


def _finding(finding: Finding) -> Iterator[str]:
    severity = finding.severity.value
    place = f"{finding.location.words}" + (f"  {finding.symbol}" if finding.symbol else "")
    yield element(
        "div",
        f"{badge(severity, f'severity.{severity}')}&ensp;"
        f"{element('b', escape(f'{finding.rule} {finding.name}'))}&ensp;"
        f"{element('span', inline_html(literally(place, 'path')), FAINT)}",
    )
    if finding.excerpt:
        yield code_html(finding.excerpt, finding.location.shown_line)
    yield element("div", inline_html(prose(finding.message)))
    yield _rows(_known(finding))


def _known(finding: Finding) -> Iterator[tuple[str, Inline]]:
    yield finding.evidence.status.value, prose(evidence_sentence(finding.rule, finding.evidence))
    if finding.fix is not None:
        yield "fix", fix_sentence(finding, finding.fix, with_applicability=True)


def _rows(told: Iterator[tuple[str, Inline]]) -> str:
    """Labels with a sentence beside each."""
    rows = "".join(
        element(
            "div",
            element("div", escape(label), _LABEL) + element("div", inline_html(text)),
            _ROW,
        )
        for label, text in told
    )
    return element("div", rows, _ROWS) if rows else ""


def _end(examination: Examination, shown: Sequence[Finding], targets: Sequence[str]) -> str:
    """What there is beside, and what comes next."""
    refuted = len(examination.findings) - len(shown)
    told = [] if shown else ["Nothing was found."]
    if refuted:
        told.append(f"{refuted} suspected and refuted by the run.")
    environment = examination.environment
    torch = f", torch {environment.torch}" if environment.torch else ""
    told.append(f"Examined in {duration(examination.seconds)}{torch}, seed {environment.seed}.")
    following = next_step(shown, targets, live=True) if targets else ()
    return inline_html(sentence(" ".join(told), " " if following else "", following))
