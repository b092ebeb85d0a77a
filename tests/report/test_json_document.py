"""The JSON contract: every document is valid, and can be read back."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from gptdoctor.core.errors import ResultFileError
from gptdoctor.report.json_document import from_document, to_document
from tests.report import samples

SCHEMA: dict[str, Any] = json.loads(files("gptdoctor.report").joinpath("schema.json").read_text())


def strict(schema: Any) -> Any:
    """The schema with no room for fields that it does not describe."""
    if isinstance(schema, list):
        return [strict(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema:
        made["additionalProperties"] = False
    return made


def through_text(document: dict[str, Any]) -> Any:
    """The document as a file holds it."""
    return json.loads(json.dumps(document, allow_nan=False))


def test_the_schema_is_a_schema() -> None:
    """It is valid by its own standard."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("gate", [None, samples.FAILED, samples.PASSED], ids=str)
@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_every_document_fits_the_schema(name: str, gate: samples.GateResult | None) -> None:
    """All fields are described, and none is missing."""
    document = through_text(to_document(samples.EXAMINATIONS[name], gate=gate))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(document)


def test_the_summary_counts() -> None:
    """Refuted findings count by status alone; the gate's verdict is kept."""
    summary = to_document(samples.REFERENCE, gate=samples.FAILED)["summary"]
    assert summary["findings"] == 8
    assert summary["severities"] == {"critical": 2, "high": 2, "medium": 3, "low": 1}
    assert summary["statuses"] == {"confirmed": 7, "suspected": 1, "refuted": 1}
    assert summary["verdicts"] == {"untrainable": 3}
    assert summary["exit_code"] == 1


def test_numbers_that_are_not_finite_are_words() -> None:
    """JSON has none of them."""
    facts = to_document(samples.EVERYTHING)["models"][-1]["facts"]
    assert facts == {"first_loss": "NaN", "best_loss": "Infinity"}


@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_a_document_is_read_back_as_it_was(name: str) -> None:
    """Nothing that a report needs is lost on the way through a file."""
    examination = samples.EXAMINATIONS[name]
    read = from_document(through_text(to_document(examination)))
    assert repr(examination) == repr(read)  # repr: nan is not equal to itself


def test_fields_of_a_later_version_are_no_error() -> None:
    """Fields may be added to the contract."""
    document = to_document(samples.REFERENCE)
    document["extra"] = {"deep": [1]}
    document["models"][0]["mood"] = "fine"
    assert from_document(document).models == samples.REFERENCE.models


def _broken(change: str) -> Any:
    document = copy.deepcopy(to_document(samples.REFERENCE))
    exec(change, {"document": document})
    return document


@pytest.mark.parametrize(
    ("document", "complaint"),
    {
        "a list": ([], "the document is not an object"),
        "another tool's": ({"results": []}, "schema_version is missing"),
        "another version": (_broken("document['schema_version'] = 2"), "schema_version 2"),
        "no models": (_broken("document['models'] = None"), "models is not a list"),
        "no name": (_broken("del document['models'][1]['name']"), "models[1].name is missing"),
        "odd verdict": (
            _broken("document['models'][0]['verdict'] = 'good'"),
            "models[0].verdict is 'good', not one of untrainable, degraded",
        ),
        "odd line": (
            _broken("document['findings'][2]['line'] = '12'"),
            "findings[2].line is not a whole number",
        ),
        "odd value": (
            _broken("document['models'][0]['facts']['inputs'] = {'a': 1}"),
            "models[0].facts.inputs is neither",
        ),
        "no evidence": (
            _broken("del document['findings'][0]['evidence']"),
            "findings[0].evidence is missing",
        ),
        "a null object": (
            _broken("document['environment'] = None"),
            "environment is not an object",
        ),
    }.values(),
)
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(document: Any, complaint: str) -> None:
    """The place in the document is named, and what to do next."""
    with pytest.raises(ResultFileError) as raised:
        from_document(document)
    assert complaint in raised.value.message
    assert "\n" not in raised.value.message
    assert "gptdoctor check --output-format json" in raised.value.hint
