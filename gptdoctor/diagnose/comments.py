"""Comments meet findings: which are set aside, and which comments do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gptdoctor.catalog import defect_named, nearest, rules_named
from gptdoctor.config import Options
from gptdoctor.core.comments import IgnoreComment
from gptdoctor.core.diagnosis import Examination, Verdict
from gptdoctor.core.findings import Evidence, Finding, Status
from gptdoctor.core.suppressions import SuppressedBy, Suppression
from gptdoctor.defect import Defect

UNUSED = "GD001"
SURE = "a comment is held against what was found, and needs no run"


def comment_on(finding: Finding, comments: Iterable[IgnoreComment]) -> Suppression | None:
    """The comment that sets a finding aside, with its reason."""
    for comment in comments:
        if comment.covers(finding.location) and any(_means(w, finding.rule) for w in comment.words):
            return Suppression(by=SuppressedBy.COMMENT, reason=comment.reason)
    return None


def unused(
    examination: Examination, findings: Sequence[Finding], options: Options
) -> Iterator[Finding]:
    """A finding for each comment that does nothing, as far as this run can tell.

    `findings` are all of them, those that were set aside among them.
    """
    for comment in examination.comments:
        told = _why_idle(comment, examination, findings, options)
        if told:
            yield _finding(comment, told)


def _means(word: str, code: str) -> bool:
    return any(one.code == code for one in rules_named(word))


def _why_idle(
    comment: IgnoreComment, examination: Examination, findings: Sequence[Finding], options: Options
) -> str:
    """What a comment lacks, "" where it does something, or may do so in another run."""
    if comment.trouble:
        return f"This comment silences nothing: {comment.trouble}"
    mine = [one for one in findings if comment.covers(one.location)]
    unknown = [word for word in comment.words if not rules_named(word)]
    idle = [
        word
        for word in comment.words
        if word not in unknown and _is_idle(word, comment, examination, mine, options)
    ]
    told = [_unknown(word) for word in unknown]
    if idle:
        names = " and ".join(f"`{word}`" for word in idle)
        all_of_it = len(idle) == len(comment.words)
        rest = (
            "the comment can go" if all_of_it else f"take {'it' if len(idle) == 1 else 'them'} out"
        )
        where = "in this file" if comment.whole_file else "here"
        told.append(f"{names} {'is' if len(idle) == 1 else 'are'} not found {where}: {rest}")
    return "; ".join(told)


def _unknown(word: str) -> str:
    near = nearest(word)
    return f"`{word}` names no rule" + (f", did you mean `{near}`?" if near else "")


def _is_idle(
    word: str,
    comment: IgnoreComment,
    examination: Examination,
    findings: Sequence[Finding],
    options: Options,
) -> bool:
    """Whether none of the rules that a word names found anything, and all of them were asked."""
    rules = rules_named(word)
    codes = {rule.code for rule in rules}
    told = {symptom.rule for one in examination.findings for symptom in one.symptoms}
    if codes & (told | {one.rule for one in findings}):  # symptoms are told at another place
        return False
    asked = [rule for rule in rules if not rule.of_comments]
    return bool(asked) and all(_was_asked(rule, comment, examination, options) for rule in asked)


def _was_asked(
    rule: Defect, comment: IgnoreComment, examination: Examination, options: Options
) -> bool:
    """Whether this run would have shown the rule, if it were here.

    What a run alone may show is only known where all models that the file is a part of were run,
    and all that the rule reads was measured.
    """
    if not options.wants(rule.code):
        return False
    if not rule.convicts:
        return True
    environment = examination.environment
    if not environment.live or environment.trouble or options.fast or not comment.models:
        return False
    models = {(one.name, one.path): one for one in examination.models}
    ran = [models.get((one.name, one.path)) for one in comment.models]
    return all(
        model is not None
        and model.verdict not in (None, Verdict.UNEXAMINED)
        and set(rule.convicts) <= set(model.measured)
        for model in ran
    )


def _finding(comment: IgnoreComment, message: str) -> Finding:
    defect = defect_named(UNUSED)
    return Finding(
        rule=defect.code,
        name=defect.name,
        severity=defect.severity,
        location=comment.location,
        symbol="",
        message=message if message.endswith((".", "?")) else f"{message}.",
        excerpt=comment.excerpt,
        evidence=Evidence(status=Status.SUSPECTED, reason=SURE),
        model=None,
    )
