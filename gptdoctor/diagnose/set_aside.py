"""What the user set aside: findings that are known, and neither shown nor any matter of a gate.

All of it is settled here, behind the weighing, so that every command sees the same findings; and
anew in each run, for an examination that is kept does not depend on any of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gptdoctor.config import Options
from gptdoctor.core.comments import IgnoreComment
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.findings import Finding
from gptdoctor.core.suppressions import SuppressedBy, Suppression
from gptdoctor.source.ignore_patterns import IgnorePatterns

Judge = Callable[[Finding], Suppression | None]


def settle(examination: Examination, options: Options, *, whole: bool) -> Examination:
    """The examination as the user's comments and settings want it.

    Comments that do nothing are told where the examination is `whole`: one of a few files, or of
    a text that is only tried, does not know.  A verdict is a fact that none of this changes.
    """
    findings = tuple(
        replace(one, severity=options.severity_of(one.rule, one.severity))
        for one in examination.findings
    )
    if whole and examination.comments:
        from gptdoctor.diagnose.comments import unused  # it loads the rules; few runs need them

        told = unused(examination, findings, options)
        findings += tuple(
            replace(one, severity=options.severity_of(one.rule, one.severity)) for one in told
        )
    ordered = tuple(sorted(findings, key=lambda one: (one.location, one.rule)))
    judge = _in_source_or_settings(examination, options)
    return sorted_out(replace(examination, findings=ordered), judge)


def sorted_out(examination: Examination, judge: Judge) -> Examination:
    """The examination with those findings set aside that `judge` has a reason for."""
    shown: list[Finding] = []
    aside = list(examination.suppressed)
    for finding in examination.findings:
        why = judge(finding)
        if why is None:
            shown.append(finding)
        else:
            aside.append(replace(finding, suppressed=why))
    aside.sort(key=lambda one: (one.location, one.rule))
    return replace(examination, findings=tuple(shown), suppressed=tuple(aside))


def _said_in(comments: list[IgnoreComment], finding: Finding) -> Suppression | None:
    if not comments:
        return None
    from gptdoctor.diagnose.comments import comment_on

    return comment_on(finding, comments)


def _in_source_or_settings(examination: Examination, options: Options) -> Judge:
    ignores = [
        (IgnorePatterns([glob.removeprefix("!")]), glob, codes)
        for glob, codes in options.per_file_ignores
    ]

    comments: dict[str, list[IgnoreComment]] = {}
    for comment in examination.comments:
        comments.setdefault(comment.location.path, []).append(comment)

    def judge(finding: Finding) -> Suppression | None:
        said = _said_in(comments.get(finding.location.path, []), finding)
        if said is not None:
            return said
        for patterns, glob, codes in ignores:
            others = glob.startswith("!")  # all files but those of the pattern
            if patterns.covers(finding.location.path) is not others and any(
                finding.rule.startswith(code) for code in codes
            ):
                return Suppression(by=SuppressedBy.FILE, reason=glob)
        return None

    return judge
