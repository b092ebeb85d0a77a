"""What the user set aside, told in a few words: how many findings, and by what."""

from __future__ import annotations

from collections import Counter

from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.findings import Finding, Status
from gptdoctor.core.suppressions import SuppressedBy
from gptdoctor.report.amounts import joined, whole

_BY = {
    SuppressedBy.COMMENT: "comments",
    SuppressedBy.FILE: "per-file-ignores",
    SuppressedBy.BASELINE: "the baseline",
    SuppressedBy.BASE: "--diff-base",
}
# Of one finding, and what its reason is: words of the user's, or the glob that covers the file.
_ONE = {**_BY, SuppressedBy.COMMENT: "a comment"}


def aside_of(examination: Examination) -> list[Finding]:
    """The findings that were set aside and may be real."""
    return [one for one in examination.suppressed if one.evidence.status is not Status.REFUTED]


def aside_sentence(examination: Examination) -> str:
    """How many they are, and by what; "" for none."""
    findings = aside_of(examination)
    told = Counter(one.suppressed.by for one in findings if one.suppressed is not None)
    known = [each for each in SuppressedBy if told[each]]
    if not known:
        return ""
    if len(known) == 1:
        return f"{whole(len(findings))} suppressed by {_BY[known[0]]}."
    by = joined([f"{whole(told[each])} by {_BY[each]}" for each in known])
    return f"{whole(len(findings))} suppressed: {by}."


def why_aside(finding: Finding) -> str:
    """What set one finding aside: "suppressed by a comment: meant so"."""
    why = finding.suppressed
    if why is None:
        return "suppressed"
    return f"suppressed by {_ONE[why.by]}" + (f": {why.reason}" if why.reason else "")
