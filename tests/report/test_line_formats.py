"""The formats for grep, for streams of JSON and for comments at pull requests."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from tests.report import samples
from tests.report.test_json_document import SCHEMA, strict
from tests.report.written import EXAMINATIONS, in_notebook, many, odd, written

LINE = re.compile(r"(.+?):(\d+):(\d+): ([A-Z]{2}\d{3}|[a-z-]+) (critical|high|medium|low) (.+)")
KINDS = {
    "model": "models",
    "finding": "findings",
    "suppressed": "suppressed",
    "error": "errors",
    "skipped": "skipped",
}


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_concise_is_one_line_for_each_complaint(name: str) -> None:
    """In a form that every editor reads."""
    lines = written("concise", EXAMINATIONS[name]).splitlines()
    lines = [line for line in lines if not line.startswith("gptdoctor: ")]
    assert all(LINE.fullmatch(line) for line in lines)


def test_concise_is_in_the_order_of_the_places() -> None:
    """With paths as seen from the folder of the command, and status before the message."""
    lines = written("concise", samples.REFERENCE, from_here="../").splitlines()
    assert lines == sorted(lines, key=lambda line: LINE.fullmatch(line)[1])  # type: ignore[index]
    head = f"../{samples.O_THREE}:178:5: GD101 critical confirmed `@torch.no_grad()` lets no"
    assert sum(line.startswith(head) for line in lines) == 1
    below = written("concise", samples.REFERENCE, from_here="../../", here="reference_models/a/")
    assert re.search(r"^\.\./gpto3_model\.py:178:5: GD101", below, re.MULTILINE)
    assert written("concise", in_notebook()).startswith("study.ipynb:cell 3:5:5: GD101 critical")
    assert len(written("concise", odd()).splitlines()) == 1


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_each_line_of_jsonl_is_an_object_of_the_json_document(name: str) -> None:
    """Together they are the document, and the last one is the summary."""
    examination = EXAMINATIONS[name]
    lines = [json.loads(line) for line in written("jsonl", examination).splitlines()]
    document = json.loads(written("json", examination))
    assert [line.pop("type") for line in lines[::-1]][-1] == "run"
    assert lines[-1] == document["summary"]
    found = [member for key in KINDS.values() for member in document[key]]
    remarks = [{"text": remark} for remark in document["remarks"]]
    assert lines[1:-1] == [*found, *remarks]
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


# What the JSON document's schema says of the object that a line is, by the line's type.
OF_A_LINE: dict[str, dict[str, object]] = {
    "run": {
        "required": ["schema_version", "version", "environment"],
        "properties": {
            key: SCHEMA["properties"][key] for key in ("schema_version", "version", "environment")
        },
    },
    "remark": {"required": ["text"], "properties": {"text": {"type": "string"}}},
    "summary": SCHEMA["properties"]["summary"],
    **{kind: SCHEMA["properties"][key]["items"] for kind, key in KINDS.items()},
}
VALIDATORS = {
    kind: jsonschema.Draft202012Validator(strict({"$defs": SCHEMA["$defs"], **of_kind}))
    for kind, of_kind in OF_A_LINE.items()
}


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_each_line_of_jsonl_fits_the_schema_by_itself(name: str) -> None:
    """A reader of lines never sees the document; ours says what an object of each type has."""
    for text in written("jsonl", EXAMINATIONS[name]).splitlines():
        line = json.loads(text)
        VALIDATORS[line.pop("type")].validate(line)


def test_a_markdown_page_is_short_enough_for_a_comment_and_says_what_was_cut() -> None:
    """GitHub takes 65,536 characters, in the form of a table."""
    page = written("markdown", many(10_000))
    assert 60_000 < len(page.encode()) <= 65_000
    told = re.search(r"^([\d,]+) lines more would be too long", page, re.MULTILINE)
    assert told
    rows = [line for line in page.splitlines() if re.match(r"\| \*\*(critical|high)", line)]
    assert len(rows) > 100
    assert "| **critical** | GD101 no-grad-in-forward | 1250 | 1000 |" in page
    assert page.index("| **critical** |") < page.index("| **high** |")


def test_a_markdown_page_tells_verdicts_and_places() -> None:
    """The head says whether it passed, the tables say why."""
    page = written("markdown", samples.EVERYTHING, in_repository="python/")
    assert page.startswith("# gptdoctor: failed\n\n**8 findings** in 4 files read in 4.2 s.")
    assert "| **GPTo3Model** | untrainable |" in page
    assert "1 model can be trained." in page
    assert f"| `python/{samples.O_THREE}:178` |" in page
    assert "more would be too long" not in page
    healthy = written("markdown", samples.HEALTHY, gate=samples.PASSED)
    assert healthy.startswith("# gptdoctor: passed\n\n**No findings** in 1 file read")
    assert len(healthy.splitlines()) < 8
