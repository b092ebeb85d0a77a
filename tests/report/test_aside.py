"""What the user set aside: held against nobody in any format, and hidden in none."""

from __future__ import annotations

import json

import pytest
from junitparser import Failure, Skipped

from gptdoctor.report.output_formats import format_names
from tests.report.test_junit import cases, suite_of
from tests.report.test_sarif import run_of
from tests.report.written import with_aside, written

TOLD = "3 suppressed: 1 by comments and 2 by the baseline."
REMARK = "2 entries of base.json are no longer found"
FIRST, *ASIDE = (*with_aside().findings, *with_aside().suppressed)


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_pages_count_them_and_say_what_did_it(name: str) -> None:
    """With what is to be said of the baseline."""
    page = " ".join(written(name, with_aside()).split())
    assert TOLD in page
    assert REMARK in page


@pytest.mark.parametrize("name", ["concise", "github", "gitlab"])
def test_annotations_are_silent(name: str) -> None:
    """A server would show them as problems."""
    text = written(name, with_aside())
    assert FIRST.rule in text
    assert not any(one.rule in text for one in ASIDE)


def test_sarif_lists_them_among_the_properties() -> None:
    """As a result each would be an alert: GitHub reads no suppressions."""
    run = run_of(written("sarif", with_aside(), in_repository="python/"))
    assert [one["ruleId"] for one in run["results"]] == [FIRST.rule]
    known = run["properties"]["suppressed"]
    assert [one["ruleId"] for one in known] == [one.rule for one in ASIDE]
    assert (known[0]["by"], known[0]["reason"]) == ("comment", "for a log")
    assert known[0]["place"] == f"python/{ASIDE[0].location.words}"
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert (notice["level"], notice["descriptor"]["id"]) == ("note", "remark")
    assert notice["message"]["text"].startswith(REMARK)


def test_junit_skips_them_with_the_reason() -> None:
    """What is skipped fails no job."""
    text = written("junit", with_aside())
    assert len(cases(text, Failure)) == 1
    told = [case.result[0].message for case in cases(text, Skipped)]
    assert told == ["Suppressed by a comment: for a log.", *["Suppressed by the baseline."] * 2]
    assert suite_of(text).skipped == 3
    assert REMARK in text


def test_json_lines_have_a_row_for_each() -> None:
    """Of a type of their own, so that who counts findings counts none of these."""
    rows = [json.loads(line) for line in written("jsonl", with_aside()).splitlines()]
    aside = [row for row in rows if row["type"] == "suppressed"]
    assert [row["suppressed"]["by"] for row in aside] == ["comment", "baseline", "baseline"]
    assert sum(row["type"] == "finding" for row in rows) == 1
    assert next(row["text"] for row in rows if row["type"] == "remark").startswith(REMARK)


def test_no_format_is_left_out_here() -> None:
    """`json` has its own tests."""
    told = {"text", "markdown", "concise", "github", "gitlab", "sarif", "junit", "jsonl", "json"}
    assert set(format_names()) == told
