"""One root has many symptoms: what a confirmed finding explains is not told a second time."""

from __future__ import annotations

from collections.abc import Iterable

from gptdoctor.core.findings import Conviction, Finding, Status
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
        and _confirms(root, target)
        for root in roots or ()
    )


def _owner(symbol: str) -> str:
    """The class of a method; a function's own name."""
    return symbol.partition(".")[0]


def _confirms(root: Finding, target: ModelTarget) -> bool:
    return any(
        (model.name, model.path) == (target.name, target.path)
        and model.evidence.status is Status.CONFIRMED
        for model in root.models
    )
