"""JUnit's XML, which nearly every CI server shows as tests.

Each entry is a failed test of its file, a file that could not be read is one that ended with an
error, a model that nobody could run is skipped, as is a finding that the user set aside, and a
model that nothing is held against passes.
The elements and attributes are those of Jenkins' schema (junit-10.xsd) and no more.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from typing import TextIO

from gptdoctor.core.diagnosis import Examination, Verdict
from gptdoctor.report.amounts import capital, count
from gptdoctor.report.aside import why_aside
from gptdoctor.report.checked import Checked
from gptdoctor.report.entries import Entry, entries_of, set_aside_entries
from gptdoctor.report.prose import visible

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def write(checked: Checked, stream: TextIO) -> None:
    """One suite, in letters of ASCII: any encoding of `stream` will do."""
    root = ET.Element("testsuites")
    cases = list(_cases(checked))
    suite = ET.SubElement(root, "testsuite", _counts(cases, checked.examination))
    suite.extend(cases)
    if checked.examination.remarks:
        ET.SubElement(suite, "system-out").text = visible("\n".join(checked.examination.remarks))
    ET.indent(root)
    stream.write(f"{_DECLARATION}\n{ET.tostring(root, encoding='us-ascii').decode()}\n")


def _counts(cases: list[ET.Element], examination: Examination) -> dict[str, str]:
    outcomes = [child.tag for case in cases for child in case]
    return {
        "name": "gptdoctor",
        "tests": str(len(cases)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
        "time": f"{examination.seconds:.3f}",
    }


def _cases(checked: Checked) -> Iterator[ET.Element]:
    """All cases; one that passes where there would be none, for an empty suite is an error."""
    examination = checked.examination
    entries = entries_of(examination, checked.in_repository)
    if examination.environment.trouble:
        case = _case("gptdoctor", "runs the models")
        ET.SubElement(case, "error", _told("no-run", examination.environment.trouble))
        yield case
    yield from map(_of_entry, entries)
    aside = set_aside_entries(examination, checked.in_repository)
    yield from map(_of_aside, aside)
    clean = list(_clean_models(examination, checked.in_repository, [*entries, *aside]))
    yield from clean
    if not entries and not clean:
        found = "nothing else was found" if aside else "nothing was found"
        yield _case("gptdoctor", f"{found} in {count(examination.files, 'file')}")


def _of_aside(entry: Entry) -> ET.Element:
    case = _case_of(entry)
    why = why_aside(entry.finding) if entry.finding else ""
    ET.SubElement(case, "skipped", _told(entry.code, f"{capital(why)}.")).text = _text(entry)
    return case


def _case_of(entry: Entry) -> ET.Element:
    where = entry.location
    return _case(where.path, f"{entry.title} at {where.words}:{where.column}")


def _of_entry(entry: Entry) -> ET.Element:
    case = _case_of(entry)
    kind = "failure"
    if entry.code == f"{Verdict.UNEXAMINED.value}-model":
        kind = "skipped"
    elif entry.finding is None and not entry.code.endswith("-model"):
        kind = "error"
    outcome = ET.SubElement(case, kind, _told(entry.code, entry.message))
    outcome.text = _text(entry)
    return case


def _text(entry: Entry) -> str:
    """The place with its line, as a log shows it, then all that is known."""
    excerpt = f"    {entry.finding.excerpt}\n" if entry.finding and entry.finding.excerpt else ""
    known = f" {entry.status.value}" if entry.status else ""
    head = f"{entry.location.words}: {entry.severity.value}{known} {entry.title}"
    return visible(f"{head}\n{excerpt}{entry.told}")


def _clean_models(
    examination: Examination, prefix: str, entries: Sequence[Entry]
) -> Iterator[ET.Element]:
    """The models that nothing is held against: run and trainable, or not run and not suspected."""
    paths = {entry.location.path for entry in entries}
    for model in examination.models:
        path = f"{prefix}{model.path}"
        not_run = model.verdict is None and path not in paths
        if model.verdict is Verdict.TRAINABLE or not_run:
            yield _case(path, f"{model.name} ({_clean(model.verdict)})")


def _clean(verdict: Verdict | None) -> str:
    return "nothing in its text" if verdict is None else verdict.value


def _case(path: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": visible(path), "name": visible(name), "time": "0"})


def _told(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "message": visible(message)}
