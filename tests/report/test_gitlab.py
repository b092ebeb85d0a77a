"""GitLab's code quality report."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from tests.report import samples
from tests.report.written import EXAMINATIONS, in_notebook, many, schema, written


def issues(text: str) -> list[dict[str, Any]]:
    """The issues of a report."""
    return list(json.loads(text))


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_every_report_fits_the_schema(name: str) -> None:
    """All fields that GitLab asks for, and none that it does not know."""
    found = issues(written("gitlab", EXAMINATIONS[name]))
    jsonschema.Draft202012Validator(schema("gitlab-code-quality.json")).validate(found)


def test_severities_and_places() -> None:
    """Each severity has a word of GitLab's; paths begin at the top of the repository."""
    found = issues(written("gitlab", samples.REFERENCE, in_repository="python/"))
    by_rule = {one["check_name"]: one for one in found}
    assert by_rule["GD101"]["severity"] == "critical"
    assert by_rule["GD301"]["severity"] == "major"
    assert by_rule["GD601"]["severity"] == "minor"
    assert by_rule["GD701"]["severity"] == "info"
    where = {"path": f"python/{samples.O_THREE}", "lines": {"begin": 178, "end": 178}}
    assert by_rule["GD101"]["location"] == where
    (cell,) = issues(written("gitlab", in_notebook()))[:1]
    assert cell["location"] == {"path": "study.ipynb", "lines": {"begin": 1, "end": 1}}
    assert cell["description"].startswith("study.ipynb:cell 3:5: GD101")


def test_no_two_fingerprints_are_alike() -> None:
    """GitLab takes two issues with the same one for one."""
    found = issues(written("gitlab", many(10_000)))
    assert len({one["fingerprint"] for one in found}) == len(found) == 10_000
