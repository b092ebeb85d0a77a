"""The report's chapter of findings: place, excerpt, evidence, impact and repair of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gptdoctor.catalog import all_defects
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.core.repairs import Applicability
from gptdoctor.defect import Defect
from gptdoctor.report.amounts import capital, joined
from gptdoctor.report.blocks import Block, CodeBlock, Listing, Paragraph, Section
from gptdoctor.report.document_words import with_status
from gptdoctor.report.finding_words import fix_sentence, worst_first
from gptdoctor.report.prose import Inline, code, literally, prose, sentence
from gptdoctor.report.wording import evidence_sentence, values_sentence


def defect_of(code_of_rule: str) -> Defect | None:
    """The rule's defect; None for a rule of another version's result file."""
    return next((one for one in all_defects() if one.code == code_of_rule), None)


def findings_chapter(examination: Examination) -> Section:
    """All findings, by severity; the refuted ones at the end in a line each."""
    ranked = worst_first(examination.findings)
    held = [one for one in ranked if one.evidence.status is not Status.REFUTED]
    live = examination.environment.live
    blocks: list[Block] = [
        _of_severity(held, severity, live=live)
        for severity in Severity
        if any(one.severity is severity for one in held)
    ]
    if not held:
        blocks.append(Paragraph(prose("Nothing was found.")))
    refuted = [one for one in ranked if one.evidence.status is Status.REFUTED]
    if refuted:
        lines = Listing(tuple(_refuted(one) for one in refuted))
        blocks.append(Section(prose("Refuted"), (lines,)))
    return Section(prose("Findings"), tuple(blocks))


def _of_severity(findings: Sequence[Finding], severity: Severity, *, live: bool) -> Section:
    """One section for each rule, so that what holds for all its places is said once."""
    chosen = [one for one in findings if one.severity is severity]
    rules = dict.fromkeys(one.rule for one in chosen)
    sections = tuple(
        _of_rule([one for one in chosen if one.rule == rule], live=live) for rule in rules
    )
    title = literally(capital(severity.value), f"severity.{severity.value}")
    return Section(title, sections)


def _of_rule(findings: Sequence[Finding], *, live: bool) -> Section:
    blocks: list[Block] = []
    defect = defect_of(findings[0].rule)
    if defect is not None:
        impact = sentence(literally("Impact", "strong"), f": {defect.harm}{_stop(defect.harm)}")
        blocks.append(Paragraph(impact))
    for finding in findings:
        blocks.extend(_told(finding, live=live))
    return Section(literally(f"{findings[0].rule} {findings[0].name}"), tuple(blocks))


def _told(finding: Finding, *, live: bool) -> Iterator[Block]:
    where = literally(finding.location.words, "path")
    parts = [sentence(", in ", code(finding.symbol))] if finding.symbol else []
    models = [one.name for one in finding.models]
    if models and models != finding.symbol.split(".")[:1]:
        parts.append(sentence(f", part of {joined(models)}"))
    yield Paragraph(sentence(where, *parts, f": {finding.message}{_stop(finding.message)}"))
    if finding.excerpt:
        yield CodeBlock(finding.excerpt, first_line=finding.location.shown_line)
    yield Listing(tuple(_points(finding, live=live)))


def _points(finding: Finding, *, live: bool) -> Iterator[Inline]:
    status = finding.evidence.status
    told = evidence_sentence(finding.rule, finding.evidence)
    known = literally(capital(status.value), f"status.{status.value}")
    separator = " " if status is Status.CONFIRMED else ": "
    yield sentence(known, f"{separator}{told}{_stop(told)}")
    for symptom in finding.symptoms:
        shown = f"{symptom.message}{_stop(symptom.message)}"
        yield sentence(literally("Explains", "strong"), f" {symptom.rule} {symptom.name}: {shown}")
    if finding.fix is not None:
        repair = fix_sentence(finding, finding.fix, with_applicability=live)
        yield sentence(literally("Repair", "strong"), ": ", repair, f".{_caution(finding)}")


def _caution(finding: Finding) -> str:
    """When a repair that is not safe is a guess."""
    defect = defect_of(finding.rule)
    safe = finding.fix is None or finding.fix.applicability is Applicability.SAFE
    return "" if safe or defect is None or defect.fix is None else f" {defect.fix.safety}"


def _refuted(finding: Finding) -> Inline:
    told = values_sentence(finding.rule, finding.evidence)
    probe = finding.evidence.probe or "a measurement"
    numbers = f"; {told}" if told else ""
    return sentence(with_status(finding), f": {probe} ran it and found no harm{numbers}.")


def _stop(text: str) -> str:
    """A full stop, where the text has none."""
    return "" if text.rstrip().endswith((".", "!", "?")) else "."
