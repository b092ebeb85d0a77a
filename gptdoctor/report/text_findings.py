"""Findings in the terminal: what, where, how well it is known, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from gptdoctor.core.findings import Finding, Status
from gptdoctor.core.repairs import Applicability, FixOffer
from gptdoctor.report.layout import print_code, print_labelled, print_line, print_wrapped, to_text
from gptdoctor.report.prose import Inline, Span, literally, prose, sentence, visible
from gptdoctor.report.wording import evidence_sentence, values_sentence

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


def print_findings(console: Console, findings: Sequence[Finding], *, live: bool) -> None:
    """Every finding that may be real, and the refuted ones in a line each."""
    ranked = worst_first(findings)
    for finding in ranked:
        if finding.evidence.status is not Status.REFUTED:
            _print_finding(console, finding, live=live)
            console.print()
    refuted = [one for one in ranked if one.evidence.status is Status.REFUTED]
    for finding in refuted:
        _print_refuted(console, finding)
    if refuted:
        console.print()


def place_of(finding: Finding) -> str:
    """Path, line and column in the form that terminals make a link of."""
    where = finding.location
    return visible(f"{where.words}:{where.column}")


def _print_finding(console: Console, finding: Finding, *, live: bool) -> None:
    severity = finding.severity.value
    print_line(
        console,
        (severity, f"severity.{severity}"),
        " ",
        (f"{finding.rule} {finding.name}", "rule"),
    )
    symbol = f"  {visible(finding.symbol)}" if finding.symbol else ""
    print_line(console, "  ", (place_of(finding), "path"), (symbol, "aside"))
    if finding.excerpt:
        print_code(console, finding.excerpt, first_line=finding.location.shown_line)
    print_wrapped(console, to_text(console, prose(finding.message)), first="  ", rest="  ")
    if live:
        _print_status(console, finding)
    if finding.fix is not None:
        fix = fix_sentence(finding, finding.fix, with_applicability=live)
        print_labelled(console, "fix", "label", to_text(console, fix))


def _print_status(console: Console, finding: Finding) -> None:
    status = finding.evidence.status
    told = sentence(evidence_sentence(finding.rule, finding.evidence), _others(finding))
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
    return (
        *prose(fix.title),
        Span(" ("),
        Span(how, f"applicability.{how}"),
        *((Span(": "), Span(flag, "command")) if flag else ()),
        Span(")"),
    )


def _print_refuted(console: Console, finding: Finding) -> None:
    told = values_sentence(finding.rule, finding.evidence)
    probe = finding.evidence.probe or "a measurement"
    text = Text(style="aside")
    text.append(f"refuted {finding.rule} {finding.name} at {place_of(finding)}: ")
    text.append(f"{probe} ran it and found no harm")
    text.append(f" ({visible(told)})" if told else "")
    print_wrapped(console, text, rest="  ")
