"""Findings in words that every format shares: their order, their place, and what mends them."""

from __future__ import annotations

from collections.abc import Iterable

from gptdoctor.core.findings import Finding, Status
from gptdoctor.core.repairs import Applicability, FixOffer
from gptdoctor.report.prose import Inline, Span, prose, visible

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


def place_of(finding: Finding) -> str:
    """Path, line and column in the form that terminals make a link of."""
    where = finding.location
    return visible(f"{where.words}:{where.column}")


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
