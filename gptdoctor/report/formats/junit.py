"""JUnit's XML, which nearly every CI server shows as tests.

Each entry is a failed test of its file, a file that could not be read is one that ended with an
error, a model that nobody could run is skipped, and a model that nothing is held against passes.
The elements and attributes are those of Jenkins' schema (junit-10.xsd) and no more.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import TextIO

from gptdoctor.core.diagnosis import Examination, Verdict
from gptdoctor.report.amounts import count
from gptdoctor.report.checked import Checked
from gptdoctor.report.entries import Entry, entries_of
from gptdoctor.report.prose import visible

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def write(checked: Checked, stream: TextIO) -> None:
    """One suite, in letters of ASCII: any encoding of `stream` will do."""
    root = ET.Element("testsuites")
    cases = list(_cases(checked))
    suite = ET.SubElement(root, "testsuite", _counts(cases, checked.examination))
    suite.extend(cases)
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
    clean = list(_clean_models(examination, checked.in_repository))
    yield from clean
    if not entries and not clean:
        yield _case("gptdoctor", f"nothing was found in {count(examination.files, 'file')}")


def _of_entry(entry: Entry) -> ET.Element:
    where = entry.location
    case = _case(where.path, f"{entry.title} at {where.words}:{where.column}")
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


def _clean_models(examination: Examination, prefix: str) -> Iterator[ET.Element]:
    """The models that nothing is held against: run and trainable, or not run and not suspected."""
    paths = {entry.location.path for entry in entries_of(examination)}
    for model in examination.models:
        not_run = model.verdict is None and model.path not in paths
        if model.verdict is Verdict.TRAINABLE or not_run:
            yield _case(f"{prefix}{model.path}", f"{model.name} ({_clean(model.verdict)})")


def _clean(verdict: Verdict | None) -> str:
    return "nothing in its text" if verdict is None else verdict.value


def _case(path: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": visible(path), "name": visible(name), "time": "0"})


def _told(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "message": visible(message)}
