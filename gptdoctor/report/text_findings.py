"""Findings in the terminal: what, where, how well it is known, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Finding, Status
from gptdoctor.core.repairs import Applicability, FixOffer
from gptdoctor.report.layout import print_code, print_labelled, print_line, print_wrapped, to_text
from gptdoctor.report.prose import Inline, Span, literally, prose, sentence, visible
from gptdoctor.report.wording import evidence_sentence, values_sentence

# A reason of up to two lines is sooner read again than looked up.
_LOOKED_UP = 134
# What `gptdoctor fix` wants to be told before it makes such a fix.
UNPROVEN = "--unproven"
FIX_FLAGS = {
    Applicability.SAFE: "",
    Applicability.UNSAFE: "--unsafe-fixes",
    Applicability.DISPLAY: "",
}


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then by how well they are known, then by place."""
    return sorted(
        findings,
        key=lambda one: (one.severity.rank, one.evidence.status.rank, one.location, one.rule),
    )


def print_findings(
    console: Console, findings: Sequence[Finding], models: Sequence[ModelDiagnosis], *, live: bool
) -> None:
    """Every finding that may be real, and the refuted ones in a line each.

    What is told alike of several places is told once, and not at all where `models`, which come
    after it, tell it at length.
    """
    ranked = worst_first(findings)
    alike: dict[object, list[Finding]] = {}
    for finding in ranked:
        if finding.evidence.status is not Status.REFUTED:
            alike.setdefault(_told_of(finding), []).append(finding)
    for group in alike.values():
        _print_finding(console, group, models, live=live)
        console.print()
    refuted = [one for one in ranked if one.evidence.status is Status.REFUTED]
    for finding in refuted:
        _print_refuted(console, finding)
    if refuted:
        console.print()


def _told_of(finding: Finding) -> object:
    """All that is told of a finding but its place."""
    known = finding.evidence.status, evidence_sentence(finding.rule, finding.evidence)
    said = finding.message, known, _others(finding), finding.fix
    return finding.rule, finding.severity, said


def place_of(finding: Finding) -> str:
    """Path, line and column in the form that terminals make a link of."""
    where = finding.location
    return visible(f"{where.words}:{where.column}")


def _print_finding(
    console: Console, group: Sequence[Finding], models: Sequence[ModelDiagnosis], *, live: bool
) -> None:
    """The places of findings that are alike, and what is told of them."""
    finding = group[0]
    severity = finding.severity.value
    print_line(
        console,
        (severity, f"severity.{severity}"),
        " ",
        (f"{finding.rule} {finding.name}", "rule"),
    )
    for one in group:
        symbol = f"  {visible(one.symbol)}" if one.symbol else ""
        print_line(console, "  ", (place_of(one), "path"), (symbol, "aside"))
        if one.excerpt:
            print_code(console, one.excerpt, first_line=one.location.shown_line)
    print_wrapped(console, to_text(console, prose(finding.message)), first="  ", rest="  ")
    if live:
        _print_status(console, finding, models)
    for symptom in finding.symptoms:
        told = prose(f"{symptom.rule} {symptom.name}: {symptom.message}")
        print_labelled(console, "explains", "label", to_text(console, told))
    if finding.fix is not None:
        fix = fix_sentence(finding, finding.fix, with_applicability=live)
        print_labelled(console, "fix", "label", to_text(console, fix))


def _print_status(console: Console, finding: Finding, models: Sequence[ModelDiagnosis]) -> None:
    status = finding.evidence.status
    evidence = evidence_sentence(finding.rule, finding.evidence)
    known = [one.name for one in models if len(evidence) > _LOOKED_UP and evidence in one.reasons]
    if status is Status.SUSPECTED and known:
        evidence = f"not measured, for the reason that is given with {known[0]} below"
    told = sentence(evidence, _others(finding))
    print_labelled(console, status.value, f"status.{status.value}", to_text(console, told))


def _others(finding: Finding) -> Inline:
    """What the other models say that ran the same place."""
    others = [one for one in finding.models if one.name != finding.model]
    if not others:
        return ()
    told = ", ".join(f"{one.name} ({one.evidence.status.value})" for one in others)
    return literally(f"; also in {told}")


def flag_of(finding: Finding, fix: FixOffer) -> str:
    """The option that the fix of this finding waits for, "" for none."""
    if finding.evidence.status is Status.SUSPECTED and fix.applicability is Applicability.UNSAFE:
        return UNPROVEN
    return FIX_FLAGS[fix.applicability]


def fix_sentence(finding: Finding, fix: FixOffer, *, with_applicability: bool) -> Inline:
    """What the fix does, and how far it may go.

    Where nothing was run, how far it may go is not known yet.
    """
    if not with_applicability:
        return prose(fix.title)
    how = fix.applicability.value
    flag = flag_of(finding, fix)
    more: Inline = (Span(": "), Span(flag, "command")) if flag else ()
    if fix.applicability is Applicability.DISPLAY:
        more = (Span(": shown, never written"),)
    return *prose(fix.title), Span(" ("), Span(how, f"applicability.{how}"), *more, Span(")")


def _print_refuted(console: Console, finding: Finding) -> None:
    told = values_sentence(finding.rule, finding.evidence)
    probe = finding.evidence.probe or "a measurement"
    text = Text(style="aside")
    text.append(f"refuted {finding.rule} {finding.name} at {place_of(finding)}: ")
    text.append(f"{probe} ran it and found no harm")
    text.append(f" ({visible(told)})" if told else "")
    print_wrapped(console, text, rest="  ")
