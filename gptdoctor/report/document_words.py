"""Words that several chapters of the report share."""

from __future__ import annotations

from gptdoctor.core.cells import CellLine, place_words
from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.report.prose import Inline, literally, prose, sentence
from gptdoctor.report.text_models import verdict_role, verdict_word

NOT_MEASURED = "not measured"


def titled(*heads: str) -> tuple[Inline, ...]:
    """The heads of a table."""
    return tuple(prose(head) for head in heads)


def place(path: str, line: int, in_cell: CellLine | None) -> Inline:
    """A line of a file or of a notebook."""
    return literally(place_words(path, line, in_cell), "path")


def verdict(found: Verdict | None) -> Inline:
    """A verdict in its style."""
    return literally(verdict_word(found), verdict_role(found))


def severity(found: Severity) -> Inline:
    """A severity in its style."""
    return literally(found.value, f"severity.{found.value}")


def named(finding: Finding) -> Inline:
    """A finding by its rule."""
    return literally(f"{finding.rule} {finding.name}", "rule")


def with_status(finding: Finding) -> Inline:
    """A finding by its rule and place, and that it is only suspected where it is."""
    where = literally(finding.location.words, "path")
    known = " (suspected)" if finding.evidence.status is Status.SUSPECTED else ""
    return sentence(named(finding), " at ", where, known)
