"""Suspicions and convictions meet: findings with a status."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from gptdoctor.catalog import defect_named
from gptdoctor.core.findings import (
    Conviction,
    Evidence,
    Finding,
    Location,
    ModelEvidence,
    Status,
    Suspicion,
    Value,
)
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import Applicability, FixOffer
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.defect import Defect
from gptdoctor.diagnose.reasons import why_not_measured
from gptdoctor.diagnose.symptoms import folded, is_explained
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

IMPORT = "import-dependencies"  # the measurement that is made of a file, and not of a model


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One model's record, and what the defects read in it."""

    record: ModelRecord
    convictions: tuple[Conviction, ...]

    @property
    def target(self) -> ModelTarget:
        """The model."""
        return self.record.target


def join(
    project: Project, suspicions: Sequence[Suspicion], judged: Sequence[Judged], *, live: bool
) -> list[Finding]:
    """One finding for each rule and place, by path, line and rule."""
    findings = [_finding(project, suspicion, judged, live=live) for suspicion in suspicions]
    findings += _unsuspected(project, suspicions, judged)
    findings += _unsuspected(project, suspicions, judged, roots=findings)
    return sorted(folded(findings), key=lambda finding: (finding.location, finding.rule))


def concerns(target: ModelTarget, suspicion: Suspicion, record: ModelRecord | None) -> bool:
    """Whether code is a model's: its class is in the family, or the model's run entered it."""
    owner = f"{suspicion.location.path}::{suspicion.symbol}"
    if any(owner == part or owner.startswith(f"{part}.") for part in target.family):
        return True
    if suspicion.symbol == "" and suspicion.location.path == target.path:
        return True
    first, last = suspicion.extent
    return record is not None and any(
        measured.ran(suspicion.location.path, first, last)
        for measured in record.measured
        # An import runs the head and the body of every class of the file, whosever they are.
        if suspicion.symbol == "" or measured.probe != IMPORT
    )


def _finding(
    project: Project, suspicion: Suspicion, judged: Sequence[Judged], *, live: bool
) -> Finding:
    defect = defect_named(suspicion.rule)
    models = tuple(
        ModelEvidence(
            name=one.target.name, path=one.target.path, evidence=_evidence(defect, suspicion, one)
        )
        for one in judged
        if concerns(one.target, suspicion, one.record)
    )
    evidence = _strongest(models, live=live)
    return Finding(
        rule=defect.code,
        name=defect.name,
        severity=defect.severity,
        location=suspicion.location,
        symbol=suspicion.symbol,
        message=_sentence(suspicion.message),
        **_excerpt(project, suspicion.location),
        confidence=defect.confidence,
        evidence=evidence,
        model=_main_model(models, evidence),
        models=models,
        fix=_offer(defect, evidence.status, suspicion.details),
        details=suspicion.details,
    )


def _evidence(defect: Defect, suspicion: Suspicion, one: Judged) -> Evidence:
    """What one model's run says of one suspicion; a confirmation outweighs a refutation."""
    met = [found for found in one.convictions if _meets(suspicion, found, one.record)]
    met.sort(key=lambda found: found.status.rank)
    if met:
        found = met[0]
        return Evidence(status=found.status, probe=found.probe, values=found.values)
    return Evidence(status=Status.SUSPECTED, reason=why_not_measured(defect, suspicion, one.record))


def _meets(suspicion: Suspicion, conviction: Conviction, record: ModelRecord) -> bool:
    """Whether both speak of the same thing: rule, and function or class, and line where known.

    A refutation must have run the very place, and all that the suspicion rests on.
    """
    if conviction.rule != suspicion.rule:
        return False
    if conviction.status is Status.REFUTED and not (
        suspicion.refutable and _ran(suspicion, conviction.probe, record)
    ):
        return False
    place = conviction.place
    if place is None:
        return True
    if place.path != suspicion.location.path:
        return False
    if place.line is not None and _in_extent(suspicion, place.line):
        return True
    # A line elsewhere in the function is another place, unless the text and the run differ by a
    # few lines of the same statement; without a line the function alone decides.
    return place.line is None and _same_symbol(suspicion.symbol, place.symbol)


def _in_extent(suspicion: Suspicion, line: int) -> bool:
    first, last = suspicion.extent
    return suspicion.location.covers(line) or first <= line <= last or line in suspicion.also_at


def _same_symbol(suspected: str, measured: str) -> bool:
    """The same function, or one inside the other (a class holds its methods)."""
    inner, outer = sorted((suspected, measured), key=len, reverse=True)
    return inner == outer or (outer != "" and inner.startswith(f"{outer}."))


def _ran(suspicion: Suspicion, probe: str, record: ModelRecord) -> bool:
    first, last = suspicion.extent
    return any(
        measured.ran(suspicion.location.path, first, last)
        for measured in record.measured
        if measured.probe == probe
    )


def _strongest(models: Iterable[ModelEvidence], *, live: bool) -> Evidence:
    ranked = sorted(models, key=lambda model: model.evidence.status.rank)
    if ranked:
        return ranked[0].evidence
    reason = "no model that was run uses this code" if live else "nothing was run (--static)"
    return Evidence(status=Status.SUSPECTED, reason=reason)


def _main_model(models: Sequence[ModelEvidence], evidence: Evidence) -> str | None:
    return next((model.name for model in models if model.evidence is evidence), None)


def _offer(defect: Defect, status: Status, details: Mapping[str, Value]) -> FixOffer | None:
    """The fix as this instance allows it: an unproven defect makes every edit a guess."""
    fix = defect.fix
    if fix is None or status is Status.REFUTED:
        return None
    if fix.needs and fix.needs not in details:
        return FixOffer(applicability=Applicability.UNSAFE, title=fix.guess)
    applicability = fix.applicability
    if status is Status.SUSPECTED and applicability is Applicability.SAFE:
        applicability = Applicability.UNSAFE
    return FixOffer(applicability=applicability, title=fix.title)


def _unsuspected(
    project: Project,
    suspicions: Sequence[Suspicion],
    judged: Sequence[Judged],
    roots: Sequence[Finding] | None = None,
) -> Iterator[Finding]:
    """Findings that only the run shows, each place once for each rule.

    With `roots`, the symptoms that none of these explains; without, all but symptoms.
    """
    seen: dict[tuple[str, Location], list[tuple[Judged, Conviction]]] = {}
    for one in judged:
        for conviction in one.convictions:
            if conviction.status is not Status.CONFIRMED or not conviction.alone:
                continue
            if any(_meets(suspicion, conviction, one.record) for suspicion in suspicions):
                continue
            if conviction.symptom is (roots is None) or is_explained(conviction, one.target, roots):
                continue
            location = _location(project, conviction)
            if location is not None:
                seen.setdefault((conviction.rule, location), []).append((one, conviction))
    for (rule, location), witnesses in seen.items():
        yield _measured_finding(project, defect_named(rule), location, witnesses)


def _measured_finding(
    project: Project,
    defect: Defect,
    location: Location,
    witnesses: list[tuple[Judged, Conviction]],
) -> Finding:
    models = tuple(
        ModelEvidence(
            name=one.target.name,
            path=one.target.path,
            evidence=Evidence(
                status=conviction.status, probe=conviction.probe, values=conviction.values
            ),
        )
        for one, conviction in witnesses
    )
    conviction = witnesses[0][1]
    return Finding(
        rule=defect.code,
        name=defect.name,
        severity=defect.severity,
        location=location,
        symbol=conviction.place.symbol if conviction.place else "",
        message=_sentence(conviction.message),
        **_excerpt(project, location),
        confidence=defect.confidence,
        evidence=models[0].evidence,
        model=models[0].name,
        models=models,
        fix=_offer(defect, conviction.status, {}),
        seen_by="line" if conviction.place and conviction.place.line else "symbol",
    )


def _sentence(text: str) -> str:
    """A message as all reports print it, to its full stop."""
    return text if text.endswith(".") else f"{text}."


def _location(project: Project, conviction: Conviction) -> Location | None:
    """The line of a conviction, or the head of the function or class that it names."""
    place = conviction.place
    module = _module(project, place.path) if place else None
    if place is None or module is None:
        return None
    line = place.line or _definition_line(module, place.symbol)
    text = module.lines[line - 1] if line <= len(module.lines) else ""
    indent = len(text) - len(text.lstrip())
    return Location(
        path=place.path,
        line=line,
        column=indent + 1,
        end_line=line,
        end_column=len(text.rstrip()) + 1,
    )


def _definition_line(module: SourceModule, symbol: str) -> int:
    """The line of the definition that a qualified name leads to, 1 where there is none."""
    body: Sequence[ast.AST] = module.tree.body
    line = 1
    for part in symbol.split("."):
        for node in body:
            if getattr(node, "name", None) == part and isinstance(
                node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ):
                line, body = node.lineno, node.body
                break
    return line


class _Excerpt(TypedDict):
    """The line of a finding, as the fields of a finding hold it."""

    excerpt: str
    excerpt_column: int


def _excerpt(project: Project, location: Location) -> _Excerpt:
    module = _module(project, location.path)
    excerpt = module.excerpt(location.line) if module else ""
    line = module.lines[location.line - 1] if module and excerpt else ""
    return _Excerpt(excerpt=excerpt, excerpt_column=len(line) - len(line.lstrip()) + 1)


def _module(project: Project, path: str) -> SourceModule | None:
    read = project.read(project.root / path)
    return read if isinstance(read, SourceModule) else None
