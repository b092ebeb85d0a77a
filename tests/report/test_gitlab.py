"""GitLab's code quality report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruff import find_ruff_bin

from tests.report import samples
from tests.report.written import EXAMINATIONS, in_notebook, many, odd, schema, written

VALIDATOR = jsonschema.Draft202012Validator(schema("gitlab-code-quality.json"))


def issues(text: str) -> list[dict[str, Any]]:
    """The issues of a report."""
    return list(json.loads(text))


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_every_report_fits_the_schema(name: str) -> None:
    """All fields that GitLab asks for, and none that it does not know."""
    found = issues(written("gitlab", EXAMINATIONS[name]))
    VALIDATOR.validate(found)
    # Code Climate's own readers ask for these, too.
    assert all(one["type"] == "issue" and one["categories"] for one in found)


def test_the_schema_is_that_of_another_writer(tmp_path: Path) -> None:
    """What ruff writes for GitLab fits it, and has no field that ours has not."""
    (tmp_path / "bad.py").write_text("import os\n")
    command = (find_ruff_bin(), "check", "--isolated", "--output-format=gitlab", "bad.py")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    theirs = issues(done.stdout)
    assert theirs
    VALIDATOR.validate(theirs)
    ours = issues(written("gitlab", samples.REFERENCE))
    assert theirs[0].keys() <= ours[0].keys()
    assert all(isinstance(ours[0][key], type(theirs[0][key])) for key in theirs[0])


def test_a_description_is_one_line() -> None:
    """Whatever lines the message of an error has, with what a screen would obey made visible."""
    (one,) = issues(written("gitlab", odd()))
    told = (
        "GD101 no-grad-in-forward: `experts[0](x)`, 100%: a b\\x1b[31m, <&> ]]> {0}. Confirmed by"
    )
    assert one["description"].startswith(told)
    assert one["location"]["path"] == "src/my models/50% größer.py"


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
