"""SARIF: valid by the standard's schema, and within GitHub's limits."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

import jsonschema
import pytest

from gptdoctor.catalog import all_defects
from gptdoctor.report.sarif_rules import LONGEST_TEXT, rule_object
from tests.report import samples
from tests.report.written import EXAMINATIONS, in_notebook, many, odd, schema, written

# GitHub's documentation, "SARIF support for code scanning".
MOST_RESULTS = 25_000
MOST_BYTES = 10 * 10**6  # of the file in gzip
MOST_RULES = 25_000
MOST_TAGS = 10


def run_of(text: str) -> dict[str, Any]:
    """The one run of a log."""
    (run,) = json.loads(text)["runs"]
    return dict(run)


@cache
def validator() -> jsonschema.Draft4Validator:
    """Of the standard's schema, which is of the fourth draft."""
    return jsonschema.Draft4Validator(schema("sarif-2.1.0.json"))


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_every_log_fits_the_schema(name: str) -> None:
    """The schema knows every field, so that a misspelt one fails."""
    validator().validate(json.loads(written("sarif", EXAMINATIONS[name])))


def test_a_result_tells_rule_place_and_what_is_known() -> None:
    """By its index in the rules, with the name that it keeps in the next commit."""
    run = run_of(written("sarif", samples.REFERENCE, in_repository="python/"))
    result = next(one for one in run["results"] if one["ruleId"] == "GD101")
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert (rule["id"], rule["name"], result["level"]) == ("GD101", "no-grad-in-forward", "error")
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == f"python/{samples.O_THREE}"
    region = {"startLine": 178, "endLine": 178, "startColumn": 5, "endColumn": 21}
    assert physical["region"] == region
    assert len(result["partialFingerprints"]["gptdoctor/v1"]) == 16
    assert result["properties"]["status"] == "confirmed"
    assert result["properties"]["fix"] == {
        "title": "Remove the decorator",
        "applicability": "safe",
    }
    assert run["properties"]["refuted"] == [f"GD101 at {samples.FOUR_O}:177"]


def test_the_line_around_a_range_is_wider_than_it() -> None:
    """A range that is the whole line holds the letters itself."""
    result = run_of(written("sarif", odd()))["results"][0]
    place = result["locations"][0]["physicalLocation"]
    around = {"startLine": 7, "startColumn": 5, "endColumn": 20}
    assert place["contextRegion"] == around | {"snippet": {"text": "y = größe[0](x)"}}
    assert "snippet" not in place["region"]
    assert place["artifactLocation"]["uri"] == "src/my%20models/50%25%20gr%C3%B6%C3%9Fer.py"


def test_code_in_a_message_is_no_link() -> None:
    """SARIF reads "[0](x)" as a link, unless the bracket is escaped."""
    assert r"`experts[0\](x)`" in run_of(written("sarif", odd()))["results"][0]["message"]["text"]


def test_a_cell_is_told_in_words() -> None:
    """The lines of a cell are no lines of the notebook's file."""
    result = run_of(written("sarif", in_notebook()))["results"][0]
    assert "region" not in result["locations"][0]["physicalLocation"]
    assert result["message"]["text"].startswith("study.ipynb:cell 3:5: ")


def test_errors_are_notifications_and_verdicts_are_results() -> None:
    """What no rule stands behind has a rule of its own."""
    run = run_of(written("sarif", samples.EVERYTHING))
    (invocation,) = run["invocations"]
    told = [one["descriptor"]["id"] for one in invocation["toolExecutionNotifications"]]
    assert told == ["syntax-error", "encoding-error"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (True, 1)
    assert [one["level"] for one in run["results"] if one["ruleId"] == "unexamined-model"] == [
        "note"
    ]
    trouble = run_of(written("sarif", samples.TROUBLE))["invocations"][0]
    assert not trouble["executionSuccessful"]


@pytest.mark.parametrize("defect", all_defects(), ids=lambda one: one.code)
def test_every_rule_has_help_within_the_limits(defect: Any) -> None:
    """In text and in Markdown; the descriptions as long as GitHub takes them."""
    rule = rule_object(defect.code, defect.name)
    assert rule["properties"]["precision"] == defect.confidence.value
    assert "problem.severity" in rule["properties"]
    assert "security-severity" not in rule["properties"]
    assert len(rule["properties"]["tags"]) <= MOST_TAGS
    assert defect.harm in rule["help"]["text"]
    assert "```python" in rule["help"]["markdown"]
    for key in ("shortDescription", "fullDescription"):
        assert 0 < len(rule[key]["text"]) <= LONGEST_TEXT


def test_ten_thousand_findings_stay_within_githubs_limits() -> None:
    """All of them, the worst first, for GitHub shows the first 5,000."""
    text = written("sarif", many(10_000))
    run = run_of(text)
    assert len(run["results"]) == 10_000
    assert len(run["tool"]["driver"]["rules"]) <= MOST_RULES
    assert len(gzip.compress(text.encode())) < MOST_BYTES / 10
    assert max(len(one["locations"]) for one in run["results"]) == 1
    levels = [one["level"] for one in run["results"]]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    prints = {one["partialFingerprints"]["gptdoctor/v1"] for one in run["results"]}
    assert len(prints) == len(run["results"])


def test_more_than_github_takes_is_cut_and_told() -> None:
    """The least severe are left out: GitHub refuses a file with more."""
    run = run_of(written("sarif", many(MOST_RESULTS + 100)))
    assert len(run["results"]) == MOST_RESULTS
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"].startswith("100 results are left out, the least severe")
