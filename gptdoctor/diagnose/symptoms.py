"""One root has many symptoms: what a confirmed finding explains is not told a second time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gptdoctor.catalog import defect_named
from gptdoctor.core.findings import Conviction, Finding, Status, Symptom
from gptdoctor.core.specimens import ModelTarget


def is_explained(
    conviction: Conviction, target: ModelTarget, roots: Iterable[Finding] | None
) -> bool:
    """Whether a finding of the same family, confirmed by this model, is in the same class."""
    place = conviction.place
    return place is not None and any(
        root.location.path == place.path
        and root.rule[:3] == conviction.rule[:3]  # the family's digit
        and root.rule != conviction.rule
        and _owner(root.symbol) == _owner(place.symbol)
        and _confirms(root, (target.name, target.path))
        for root in roots or ()
    )


def _owner(symbol: str) -> str:
    """The class of a method; a function's own name."""
    return symbol.partition(".")[0]


def _confirms(root: Finding, model: tuple[str, str]) -> bool:
    """Whether the model of this name and path confirms a finding."""
    return model in set(_confirming(root))


def folded(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings, those that another one explains told under it.

    What the text shows by itself stays a finding of its own.  So does what a run shows at a line
    of another class, but for what `explains_elsewhere` names: it may have a cause of its own.
    """
    roots = {id(one): list(_roots(one, findings)) for one in findings}
    for finding in findings:
        if not roots[id(finding)]:
            under = [one for one in findings if finding in roots[id(one)]]
            symptoms = [Symptom(rule=o.rule, name=o.name, message=o.message) for o in under]
            yield replace(finding, symptoms=tuple(dict.fromkeys(symptoms)))


def _roots(finding: Finding, findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings that have none above them and explain this one."""
    if finding.seen_by == "text":
        return
    for root in findings:
        defect = defect_named(root.rule)
        elsewhere = finding.rule in defect.explains_elsewhere
        if root is finding or not (elsewhere or finding.rule in defect.explains):
            continue
        here = finding.location.path == root.location.path
        same = here and _owner(finding.symbol) == _owner(root.symbol)
        near = same or elsewhere or finding.seen_by == "symbol"
        if near and all(_confirms(root, one) for one in _confirming(finding)):
            yield from list(_roots(root, findings)) or [root]


def _confirming(finding: Finding) -> Iterator[tuple[str, str]]:
    """Name and path of each model that confirms a finding."""
    for model in finding.models:
        if model.evidence.status is Status.CONFIRMED:
            yield model.name, model.path
