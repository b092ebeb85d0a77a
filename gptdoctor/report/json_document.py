"""An examination as the JSON contract has it, and back.

`schema.json` beside this file describes the document. Fields may be added; renaming or removing
one asks for a new `SCHEMA_VERSION`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from gptdoctor import __version__
from gptdoctor.core.cells import CellLine
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, SourceError
from gptdoctor.core.findings import Evidence, Finding, Location, Severity, Status
from gptdoctor.core.repairs import FixOffer
from gptdoctor.core.suppressions import Suppression
from gptdoctor.diagnose.fingerprints import fingerprints
from gptdoctor.diagnose.gate import GateResult
from gptdoctor.report.json_reading import SCHEMA_VERSION, read_examination
from gptdoctor.report.json_values import to_json

Document = dict[str, Any]


def to_document(examination: Examination, *, gate: GateResult | None = None) -> Document:
    """The whole document; `gate` is what the caller made of it, if anything."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "environment": to_json(asdict(examination.environment)),
        "models": [model_object(model) for model in examination.models],
        "findings": finding_objects(examination.findings),
        "suppressed": finding_objects(examination.suppressed),
        "errors": [error_object(error) for error in examination.errors],
        "skipped": [asdict(skipped) for skipped in examination.skipped],
        "remarks": list(examination.remarks),
        "summary": summary_object(examination, gate),
    }


def from_document(document: object) -> Examination:
    """The examination that a document tells of.

    Raises ResultFileError, with the place in the document, for anything that is not as the
    contract says.
    """
    return read_examination(document)


def model_object(model: ModelDiagnosis) -> Document:
    """One model."""
    specimen = None if model.specimen is None else to_json(asdict(model.specimen))
    return {
        "name": model.name,
        "path": model.path,
        "line": model.line,
        **_in_cell(model.in_cell),
        "verdict": None if model.verdict is None else model.verdict.value,
        "reasons": list(model.reasons),
        "reason_rules": list(model.reason_rules),
        "specimen": specimen,
        "facts": to_json(model.facts),
        "measured": list(model.measured),
        "unmeasured": [asdict(unmeasured) for unmeasured in model.unmeasured],
        "notes": list(model.notes),
        "output": model.output or None,
        "cached": model.cached,
        "to_write": None if model.to_write is None else asdict(model.to_write),
        "ignored": model.ignored,
        "known_reasons": list(model.known_reasons),
    }


def finding_objects(findings: Sequence[Finding]) -> list[Document]:
    """The findings, each with its name across commits."""
    named = zip(findings, fingerprints(findings), strict=True)
    return [_finding(finding, fingerprint) for finding, fingerprint in named]


def _finding(finding: Finding, fingerprint: str) -> Document:
    return {
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "fingerprint": fingerprint,
        **_location(finding.location),
        "symbol": finding.symbol,
        "model": finding.model,
        "models": [
            {"name": model.name, "path": model.path, **_evidence(model.evidence)}
            for model in finding.models
        ],
        "message": finding.message,
        "excerpt": finding.excerpt,
        "excerpt_column": finding.excerpt_column,
        "evidence": _evidence(finding.evidence),
        "fix": None if finding.fix is None else _fix(finding.fix),
        "details": to_json(finding.details),
        "symptoms": [asdict(symptom) for symptom in finding.symptoms],
        **_suppression(finding.suppressed),
    }


def _suppression(suppressed: Suppression | None) -> Document:
    """What set the finding aside, where something did."""
    if suppressed is None:
        return {}
    return {"suppressed": {"by": suppressed.by.value, "reason": suppressed.reason}}


def _location(location: Location) -> Document:
    return {
        "path": location.path,
        "line": location.line,
        "column": location.column,
        "end_line": location.end_line,
        "end_column": location.end_column,
        **_in_cell(location.in_cell),
    }


def _in_cell(place: CellLine | None) -> Document:
    """The cell and the line in it, where the file is a notebook."""
    return {} if place is None else {"cell": place.cell, "cell_line": place.line}


def error_object(error: SourceError) -> Document:
    """One file that could not be read."""
    return {
        "path": error.path,
        "line": error.line,
        **_in_cell(error.in_cell),
        "kind": error.kind,
        "message": error.message,
    }


def _evidence(evidence: Evidence) -> Document:
    return {
        "status": evidence.status.value,
        "probe": evidence.probe,
        "values": to_json(evidence.values),
        "reason": evidence.reason,
    }


def _fix(fix: FixOffer) -> Document:
    return {"applicability": fix.applicability.value, "title": fix.title}


def summary_object(examination: Examination, gate: GateResult | None) -> Document:
    """The counts, and what the gate made of them."""
    findings = examination.findings
    real = [one for one in findings if one.evidence.status is not Status.REFUTED]
    aside = [one for one in examination.suppressed if one.evidence.status is not Status.REFUTED]
    return {
        "files": examination.files,
        "seconds": round(examination.seconds, 3),
        "models": len(examination.models),
        "verdicts": _counts(
            one.verdict.value if one.verdict else "none" for one in examination.models
        ),
        "findings": len(real),
        "suppressed": len(aside),
        "severities": _counts(
            (one.severity.value for one in real), known=[one.value for one in Severity]
        ),
        "statuses": _counts(
            (one.evidence.status.value for one in findings), known=[one.value for one in Status]
        ),
        "errors": len(examination.errors),
        "gate": None if gate is None else {"reasons": list(gate.reasons)},
        "exit_code": None if gate is None else gate.exit_code,
    }


def _counts(words: Iterable[str], known: Iterable[str] = ()) -> dict[str, int]:
    """How often each word comes; the known ones always."""
    return {**dict.fromkeys(known, 0), **Counter(words)}
