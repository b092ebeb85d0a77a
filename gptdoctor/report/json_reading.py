"""Reads a result file back, and says exactly what is wrong where something is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gptdoctor.core.cells import CellLine
from gptdoctor.core.diagnosis import (
    Environment,
    Examination,
    ModelDiagnosis,
    SkippedFile,
    SourceError,
    SpecimenFacts,
    ToWrite,
    UnmeasuredProbe,
    Verdict,
)
from gptdoctor.core.errors import ResultFileError
from gptdoctor.core.findings import (
    Confidence,
    Evidence,
    Finding,
    Location,
    ModelEvidence,
    Severity,
    Status,
    Symptom,
)
from gptdoctor.core.repairs import Applicability, FixOffer
from gptdoctor.core.suppressions import SuppressedBy, Suppression
from gptdoctor.report.json_node import Node

SCHEMA_VERSION = 1
_Read = TypeVar("_Read")


def read_examination(document: object) -> Examination:
    """The examination; raises ResultFileError."""
    top = Node(document)
    version = top.integer("schema_version")
    if version != SCHEMA_VERSION:
        raise ResultFileError(
            f"the result has schema_version {version}, and this gptdoctor reads {SCHEMA_VERSION}",
            hint="write it again with this version: gptdoctor check --output-format json",
        )
    summary = top.node("summary")
    return Examination(
        environment=_environment(top.node("environment")),
        models=_all(top, "models", _model),
        findings=_all(top, "findings", _finding),
        errors=_all(top, "errors", _error),
        skipped=_all(top, "skipped", _skipped),
        files=summary.integer("files", 0),
        seconds=summary.number("seconds", 0.0),
        suppressed=_all(top, "suppressed", _finding),
        remarks=top.texts("remarks"),
    )


def _all(node: Node, key: str, read: Callable[[Node], _Read]) -> tuple[_Read, ...]:
    return tuple(read(member) for member in node.nodes(key))


def _environment(node: Node) -> Environment:
    return Environment(
        python=node.text("python"),
        executable=node.text("executable", ""),
        torch=node.optional_text("torch"),
        platform=node.text("platform", ""),
        seed=node.integer("seed", 0),
        live=node.flag("live"),
        trouble=node.text("trouble", ""),
        unlimited=node.texts("unlimited"),
    )


def _model(node: Node) -> ModelDiagnosis:
    return ModelDiagnosis(
        name=node.text("name"),
        path=node.text("path"),
        line=node.integer("line"),
        verdict=node.word("verdict", Verdict) if node.has("verdict") else None,
        reasons=node.texts("reasons"),
        reason_rules=node.optional_texts("reason_rules"),
        specimen=_specimen(node.node("specimen")) if node.has("specimen") else None,
        facts=node.values("facts"),
        measured=node.texts("measured"),
        unmeasured=_all(node, "unmeasured", _unmeasured),
        notes=node.texts("notes"),
        to_write=_to_write(node.node("to_write")) if node.has("to_write") else None,
        ignored=node.flag("ignored", False),
        in_cell=_in_cell(node),
        output=node.optional_text("output") or "",
        cached=node.flag("cached", False),
    )


def _specimen(node: Node) -> SpecimenFacts:
    return SpecimenFacts(
        build=node.text("build"),
        call=node.text("call"),
        parameters=node.integer("parameters"),
        entry=node.text("entry", "forward"),
        expression=node.text("expression", ""),
        imports=node.texts("imports"),
        logits=node.text("logits", ""),
        vectors=node.text("vectors", ""),
        loss=node.text("loss", ""),
        loss_labels=node.text("loss_labels", ""),
        labels_are_next=node.flag("labels_are_next", False),
        classes=node.text("classes", ""),
        own_lines=node.text("own_lines", ""),
    )


def _to_write(node: Node) -> ToWrite:
    return ToWrite(build=node.text("build"), call=node.text("call"), built=node.flag("built"))


def _unmeasured(node: Node) -> UnmeasuredProbe:
    return UnmeasuredProbe(probe=node.text("probe"), reason=node.text("reason"))


def _finding(node: Node) -> Finding:
    return Finding(
        rule=node.text("rule"),
        name=node.text("name"),
        severity=node.word("severity", Severity),
        location=_location(node),
        symbol=node.text("symbol", ""),
        message=node.text("message"),
        excerpt=node.text("excerpt", ""),
        evidence=_evidence(node.node("evidence")),
        model=node.optional_text("model"),
        models=_all(node, "models", _model_evidence),
        fix=_fix(node.node("fix")) if node.has("fix") else None,
        details=node.values("details"),
        symptoms=_all(node, "symptoms", _symptom),
        suppressed=_suppression(node.node("suppressed")) if node.has("suppressed") else None,
        confidence=node.word("confidence", Confidence)
        if node.has("confidence")
        else Confidence.HIGH,
        excerpt_column=node.integer("excerpt_column", 1),
    )


def _suppression(node: Node) -> Suppression:
    return Suppression(by=node.word("by", SuppressedBy), reason=node.text("reason", ""))


def _symptom(node: Node) -> Symptom:
    return Symptom(rule=node.text("rule"), name=node.text("name"), message=node.text("message"))


def _location(node: Node) -> Location:
    line, column = node.integer("line"), node.integer("column")
    return Location(
        path=node.text("path"),
        line=line,
        column=column,
        end_line=node.integer("end_line", line),
        end_column=node.integer("end_column", column),
        in_cell=_in_cell(node),
    )


def _in_cell(node: Node) -> CellLine | None:
    if not node.has("cell"):
        return None
    return CellLine(cell=node.integer("cell"), line=node.integer("cell_line"))


def _evidence(node: Node) -> Evidence:
    return Evidence(
        status=node.word("status", Status),
        probe=node.optional_text("probe"),
        values=node.values("values"),
        reason=node.optional_text("reason"),
    )


def _model_evidence(node: Node) -> ModelEvidence:
    return ModelEvidence(
        name=node.text("name"), path=node.text("path", ""), evidence=_evidence(node)
    )


def _fix(node: Node) -> FixOffer:
    return FixOffer(
        applicability=node.word("applicability", Applicability), title=node.text("title")
    )


def _error(node: Node) -> SourceError:
    return SourceError(
        path=node.text("path"),
        line=node.integer("line"),
        kind=node.text("kind"),
        message=node.text("message"),
        in_cell=_in_cell(node),
    )


def _skipped(node: Node) -> SkippedFile:
    return SkippedFile(path=node.text("path"), reason=node.text("reason"))
