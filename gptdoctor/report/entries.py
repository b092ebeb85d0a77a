"""All that a check has to say against the code, in one list, for formats that know nothing else.

CI knows files with lines that something is wrong with. So a model's verdict that no finding
stands behind, as of a loss that does not fall, is an entry as a finding is, and a file that could
not be read is one, too: else a job would fail and show nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, SourceError, Verdict
from gptdoctor.core.findings import Finding, Location, Severity, Status
from gptdoctor.diagnose.fingerprints import DIGITS, fingerprints
from gptdoctor.report.amounts import capital
from gptdoctor.report.wording import evidence_sentence

# What a verdict weighs where only the measurement speaks for it: an untrainable model fails the
# gate, a degraded one trains, and of one that could not be examined nothing bad is known.
_WEIGHTS = {
    Verdict.UNTRAINABLE: Severity.CRITICAL,
    Verdict.DEGRADED: Severity.MEDIUM,
    Verdict.UNEXAMINED: Severity.LOW,
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One complaint, at one place."""

    code: str  # "GD101", "untrainable-model", "syntax-error"
    name: str  # "no-grad-in-forward"; of what is no finding, its code in words
    severity: Severity
    location: Location  # without a width where the whole line is meant
    message: str  # sentences
    fingerprint: str
    status: Status | None = None  # of a finding
    known: str = ""  # what stands behind the status of a finding, a sentence
    fix: str = ""  # what mends a finding, an imperative
    finding: Finding | None = None

    @property
    def title(self) -> str:
        """Code and name in one."""
        return self.name if self.finding is None else f"{self.code} {self.name}"

    @property
    def told(self) -> str:
        """All sentences in a row."""
        fix = f"Fix: {self.fix}." if self.fix else ""
        return " ".join(part for part in (self.message, self.known, fix) if part)


def entries_of(examination: Examination, prefix: str = "") -> list[Entry]:
    """Everything, the worst first; paths get `prefix`. Refuted findings are none of it."""
    live = examination.environment.live
    named = zip(examination.findings, fingerprints(examination.findings), strict=True)
    found = [_of_finding(one, name, live=live) for one, name in named if not _is_refuted(one)]
    found += [entry for model in examination.models for entry in _of_model(model)]
    found += [_of_error(error) for error in examination.errors]
    found.sort(key=_rank)
    return [_moved(entry, prefix) for entry in found] if prefix else found


def set_aside_entries(examination: Examination, prefix: str = "") -> list[Entry]:
    """What the user set aside, by place: none of it is held against the code."""
    aside = examination.suppressed
    named = zip(aside, fingerprints(aside), strict=True)
    live = examination.environment.live
    known = [_of_finding(one, name, live=live) for one, name in named if not _is_refuted(one)]
    return [_moved(entry, prefix) for entry in known]


def _is_refuted(finding: Finding) -> bool:
    return finding.evidence.status is Status.REFUTED


def _rank(entry: Entry) -> tuple[int, int, Location, str]:
    status = -1 if entry.status is None else entry.status.rank
    return entry.severity.rank, status, entry.location, entry.code


def _moved(entry: Entry, prefix: str) -> Entry:
    location = replace(entry.location, path=f"{prefix}{entry.location.path}")
    return replace(entry, location=location)


def _of_finding(finding: Finding, fingerprint: str, *, live: bool) -> Entry:
    """A finding; what is known of it is only told where something was run."""
    status = finding.evidence.status
    separator = " " if status is Status.CONFIRMED else ": "
    known = f"{status.value}{separator}{evidence_sentence(finding.rule, finding.evidence)}"
    return Entry(
        code=finding.rule,
        name=finding.name,
        severity=finding.severity,
        location=finding.location,
        message=_sentence(finding.message),
        fingerprint=fingerprint,
        status=status,
        known=_sentence(capital(known)) if live else "",
        fix=finding.fix.title.rstrip(".") if finding.fix else "",
        finding=finding,
    )


def _of_model(model: ModelDiagnosis) -> Iterator[Entry]:
    """A verdict, where a reason of it is no finding."""
    rules = (*model.reason_rules, *[None] * len(model.reasons))
    reasons = [why for why, rule in zip(model.reasons, rules, strict=False) if rule is None]
    if model.verdict not in _WEIGHTS or not reasons or model.ignored:
        return
    code = f"{model.verdict.value}-model"
    where = _line(model.path, model.line)
    yield Entry(
        code=code,
        name=code.replace("-", " "),
        severity=_WEIGHTS[model.verdict],
        location=replace(where, in_cell=model.in_cell),
        message=_sentence(f"`{model.name}` is {model.verdict.value}: {'; '.join(reasons)}"),
        fingerprint=_fingerprint(code, model.path, model.name),
    )


def _of_error(error: SourceError) -> Entry:
    return Entry(
        code=error.kind,
        name=error.kind.replace("-", " "),
        severity=Severity.HIGH,  # it fails the gate
        location=replace(_line(error.path, error.line), in_cell=error.in_cell),
        message=_sentence(error.message),
        fingerprint=_fingerprint(error.kind, error.path, str(error.line)),
    )


def _line(path: str, line: int) -> Location:
    return Location(path=path, line=line, column=1, end_line=line, end_column=1)


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:DIGITS]


def _sentence(text: str) -> str:
    """Text with a full stop at its end."""
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text}."
