"""Findings by rule: how often each of them comes, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gptdoctor.core.findings import Finding, Severity, Status


@dataclass(frozen=True, kw_only=True)
class RuleCount:
    """One rule, the number of its findings and of the files that they are in."""

    rule: str
    name: str
    severity: Severity
    findings: int
    confirmed: int
    files: int


def rule_counts(findings: Iterable[Finding]) -> list[RuleCount]:
    """A line for each rule that has findings which may be real: by severity, then by number."""
    real = [one for one in findings if one.evidence.status is not Status.REFUTED]
    heads = {one.rule: one for one in real}
    numbers = Counter(one.rule for one in real)
    confirmed = Counter(one.rule for one in real if one.evidence.status is Status.CONFIRMED)
    files = Counter(rule for rule, _ in {(one.rule, one.location.path) for one in real})
    counted = [
        RuleCount(
            rule=rule,
            name=head.name,
            severity=head.severity,
            findings=numbers[rule],
            confirmed=confirmed[rule],
            files=files[rule],
        )
        for rule, head in heads.items()
    ]
    return sorted(counted, key=lambda one: (one.severity.rank, -one.findings, one.rule))
