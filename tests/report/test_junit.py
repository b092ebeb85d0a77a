"""JUnit's XML: valid by Jenkins' schema, and as a package that reads such files counts it."""

from __future__ import annotations

import dataclasses

import pytest
import xmlschema
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from tests.report import samples
from tests.report.written import EXAMINATIONS, SCHEMAS, many, written

SCHEMA = xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))


def suite_of(text: str) -> TestSuite:
    """The one suite of a file."""
    (suite,) = JUnitXml.fromstring(text.encode())
    return suite


def cases(text: str, kind: type[object]) -> list[TestCase]:
    """The cases that ended so."""
    return [case for case in suite_of(text) if any(isinstance(one, kind) for one in case.result)]


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_every_file_fits_the_schema(name: str) -> None:
    """And none is empty: servers take an empty suite for a broken job."""
    text = written("junit", EXAMINATIONS[name])
    SCHEMA.validate(text)
    suite = suite_of(text)
    assert suite.tests == len(list(suite)) > 0


def test_findings_fail_errors_are_errors_and_the_rest_passes() -> None:
    """A model that nobody could run is skipped, and one that trains has passed."""
    text = written("junit", samples.EVERYTHING, in_repository="python/")
    suite = suite_of(text)
    assert (suite.failures, suite.errors, suite.skipped) == (8, 2, 1)
    assert len(cases(text, Failure)) == 8
    assert [case.classname for case in cases(text, Error)] == [
        "python/models/broken.py",
        "python/models/odd.bin.py",
    ]
    (skipped,) = cases(text, Skipped)
    assert "OddModel" in skipped.result[0].message
    passed = [case.name for case in suite if case.is_passed]
    assert passed == ["NanoModel (trainable)"]


def test_a_failure_shows_place_line_and_what_is_known() -> None:
    """As far as a log without colours can."""
    failed = cases(written("junit", samples.REFERENCE), Failure)
    (case,) = [one for one in failed if one.name.startswith("GD101")]
    assert case.name == f"GD101 no-grad-in-forward at {samples.O_THREE}:178:5"
    text = case.result[0].text
    assert f"{samples.O_THREE}:178: critical confirmed GD101" in text
    assert "    @torch.no_grad()" in text
    assert "Fix: Remove the decorator." in text


def test_a_thousand_findings_are_a_thousand_failures() -> None:
    """Each with a name of its own."""
    suite = suite_of(written("junit", many(1_000)))
    names = {(case.classname, case.name) for case in suite}
    assert len(names) == suite.tests == 1_000


def test_nothing_found_is_a_test_that_passed() -> None:
    """With the number of files that were read."""
    nothing = dataclasses.replace(samples.NOTHING, files=3)
    (case,) = suite_of(written("junit", nothing))
    assert case.name == "nothing was found in 3 files"
    assert case.is_passed
