"""The command that helps most after a check."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from gptdoctor.core.findings import Finding
from gptdoctor.core.repairs import Applicability
from gptdoctor.report.amounts import count, whole
from gptdoctor.report.finding_words import FIX_FLAGS, UNPROVEN, flag_of
from gptdoctor.report.prose import Inline, Span, literally

# By the option that the fixes wait for, the most certain first.
NEXT_STEPS = {
    FIX_FLAGS[Applicability.SAFE]: ", proven without touching your files.",
    UNPROVEN: " that no probe could judge.",
    FIX_FLAGS[Applicability.UNSAFE]: ", guessing at what you meant.",
}


def next_step(findings: Sequence[Finding], targets: Sequence[str], *, live: bool) -> Inline:
    """The command that helps most, with the targets of this run; empty where none does."""
    if not live:
        return _next_command("gptdoctor check", targets, " runs the models and tells what is true.")
    fixes = [(one, one.fix) for one in findings if one.fix is not None]
    offers = Counter(
        flag_of(one, fix) for one, fix in fixes if fix.applicability is not Applicability.DISPLAY
    )
    for flag, told in NEXT_STEPS.items():
        if offers[flag]:
            repairs = count(offers[flag], "repair")
            command = f"gptdoctor fix {flag}".strip()
            return _next_command(command, targets, f" shows {repairs}{told}")
    return ()


def all_places(number: int, targets: Sequence[str]) -> Inline:
    """The command that lists every finding of a scan in a line."""
    command = "gptdoctor check --static --output-format concise"
    return _next_command(command, targets, f" lists all {whole(number)}, one a line.", "All: ")


def why(rule: str) -> Inline:
    """The command that explains a rule."""
    told = " says why it harms, and how to silence it."
    return (Span("Why: "), *literally(f"gptdoctor explain {rule}", "command"), Span(told))


def _next_command(command: str, targets: Sequence[str], told: str, head: str = "Next: ") -> Inline:
    whole_command = " ".join((command, *(shlex.quote(target) for target in targets)))
    return (Span(head), *literally(whole_command, "command"), Span(told))
