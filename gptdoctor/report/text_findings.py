"""Findings in the terminal: what, where, how well it is known, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Confidence, Finding, Status
from gptdoctor.report.amounts import count
from gptdoctor.report.finding_words import fix_sentence, place_of, worst_first
from gptdoctor.report.layout import print_labelled, print_line, print_wrapped, to_text
from gptdoctor.report.prose import Inline, literally, prose, sentence, visible
from gptdoctor.report.text_excerpt import print_excerpt
from gptdoctor.report.text_trail import print_trail
from gptdoctor.report.wording import evidence_sentence, values_sentence

# Findings that a reader takes in one by one; of more, the first of each rule stand for the rest.
MANY = 20
FIRST = 3
# A reason of up to two lines is sooner read again than looked up.
_LOOKED_UP = 134


def print_findings(
    console: Console,
    findings: Sequence[Finding],
    models: Sequence[ModelDiagnosis],
    *,
    live: bool,
    trace: bool = False,
) -> None:
    """Every finding that may be real, rule by rule, and the refuted ones in a line each.

    With `trace` the way of the data to it as well, where that is known.

    What is told alike of several places is told once, and not at all where `models`, which come
    after it, tell it at length.  Of many that nothing was run for, the first few of each rule are
    told: it is the rule that is to be understood first, and `concise` lists the places.
    """
    ranked = worst_first(findings)
    rules: dict[object, list[Finding]] = {}
    for finding in ranked:
        if finding.evidence.status is not Status.REFUTED:
            rules.setdefault((finding.severity, finding.rule), []).append(finding)
    short = not live and sum(map(len, rules.values())) > MANY
    for of_rule in rules.values():
        shown = of_rule[:FIRST] if short else of_rule
        _print_head(console, of_rule, live=live)
        _print_alike(console, shown, models, live=live, trace=trace)
        if len(shown) < len(of_rule):
            _print_rest(console, of_rule[len(shown) :])
        _print_fixes(console, of_rule, live=live)
        console.print()
    refuted = [one for one in ranked if one.evidence.status is Status.REFUTED]
    for finding in refuted:
        _print_refuted(console, finding)
    if refuted:
        console.print()


def _print_head(console: Console, of_rule: Sequence[Finding], *, live: bool) -> None:
    """The rule, how many places it holds for, and how far its text can be trusted."""
    finding = of_rule[0]
    severity = finding.severity.value
    aside = f"  {_places(of_rule)}" if len(of_rule) > 1 else ""
    if not live and finding.confidence is not Confidence.HIGH:
        aside += f"  {finding.confidence.value} confidence"
    head = (f"{finding.rule} {finding.name}", "rule")
    print_line(console, (severity, f"severity.{severity}"), " ", head, (aside, "aside"))


def _places(findings: Sequence[Finding]) -> str:
    """How many places in how many files."""
    files = len({one.location.path for one in findings})
    return f"{count(len(findings), 'place')} in {count(files, 'file')}"


def _print_alike(
    console: Console,
    findings: Sequence[Finding],
    models: Sequence[ModelDiagnosis],
    *,
    live: bool,
    trace: bool,
) -> None:
    alike: dict[object, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_told_of(finding), []).append(finding)
    for group in alike.values():
        _print_group(console, group, models, live=live)
        for finding in group if trace else ():
            print_trail(console, finding)


def _told_of(finding: Finding) -> object:
    """All that is told of a finding but its place."""
    known = finding.evidence.status, evidence_sentence(finding.rule, finding.evidence)
    return finding.message, known, _others(finding), finding.symptoms, finding.fix


def _print_group(
    console: Console, group: Sequence[Finding], models: Sequence[ModelDiagnosis], *, live: bool
) -> None:
    """The places of findings that are alike, and what is told of them."""
    finding = group[0]
    for one in group:
        symbol = f"  {visible(one.symbol)}" if one.symbol else ""
        print_line(console, "  ", (place_of(one), "path"), (symbol, "aside"))
        print_excerpt(console, one)
    print_wrapped(console, to_text(console, prose(finding.message)), first="  ", rest="  ")
    if live:
        _print_status(console, finding, models)
    for symptom in finding.symptoms:
        told = prose(f"{symptom.rule} {symptom.name}: {symptom.message}")
        print_labelled(console, "explains", "label", to_text(console, told))
    if finding.fix is not None and live:
        fix = fix_sentence(finding, finding.fix, with_applicability=True)
        print_labelled(console, "fix", "label", to_text(console, fix))


def _print_rest(console: Console, rest: Sequence[Finding]) -> None:
    print_line(console, "  ", (f"… and {_places(rest)} more", "aside"))


def _print_fixes(console: Console, of_rule: Sequence[Finding], *, live: bool) -> None:
    """What mends a rule's places where nothing was run: the same for most of them."""
    if live:
        return
    offers = [(one, one.fix) for one in of_rule if one.fix is not None]
    for finding, fix in {fix.title: (finding, fix) for finding, fix in offers}.values():
        told = fix_sentence(finding, fix, with_applicability=False)
        print_labelled(console, "fix", "label", to_text(console, told))


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


def _print_refuted(console: Console, finding: Finding) -> None:
    told = values_sentence(finding.rule, finding.evidence)
    probe = finding.evidence.probe or "a measurement"
    text = Text(style="aside")
    text.append(f"refuted {finding.rule} {finding.name} at {place_of(finding)}: ")
    text.append(f"{probe} ran it and found no harm")
    text.append(f" ({visible(told)})" if told else "")
    print_wrapped(console, text, rest="  ")
