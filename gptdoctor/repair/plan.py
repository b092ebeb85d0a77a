"""Which findings are to be mended, in which order, and how far each fix may go."""

from __future__ import annotations

import importlib
import importlib.util
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gptdoctor.catalog import defect_named, module_of
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.errors import CatalogError
from gptdoctor.core.findings import Finding, Status
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.remedies.remedy import Remedy

REMEDIES = "gptdoctor.remedies"
# Fixes of this order and below let a model be imported, built or run: what is measured then for
# the first time was not healthy before.
LETS_RUN = 1
# A place by what stays when other lines move: rule, path, symbol, text of the line.
Place = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class PlannedFix:
    """One finding, the codemod of its defect, and how far that may go here."""

    finding: Finding
    promise: FixPromise
    remedy: Remedy
    applicability: Applicability
    guesses: bool  # what is meant, whether or not the finding is confirmed
    place: Place
    number: int  # of several alike, from 1

    @property
    def lets_run(self) -> bool:
        """Whether it may let a model be imported, built or run that could not."""
        return self.promise.order <= LETS_RUN

    @property
    def title(self) -> str:
        """What it does, as this finding offers it; a refuted one offers nothing."""
        return self.promise.title if self.finding.fix is None else self.finding.fix.title


def plan(examination: Examination, *, refuted: bool = False) -> list[PlannedFix]:
    """The fixes to try, in order: confirmed before suspected, then by what must come first."""
    planned = list(_planned(examination, refuted=refuted))
    return sorted(planned, key=_order)


def _order(fix: PlannedFix) -> tuple[bool, int, str, int, int]:
    # What is only suspected may be confirmed once the rest is mended: it can wait.
    place = fix.finding.location
    waits = fix.finding.evidence.status is not Status.CONFIRMED
    return waits, fix.promise.order, place.path, place.line, place.column


def _planned(examination: Examination, *, refuted: bool) -> Iterator[PlannedFix]:
    alike: Counter[Place] = Counter()
    for finding in examination.findings:
        place = (finding.rule, finding.location.path, finding.symbol, finding.excerpt)
        alike[place] += 1
        defect = defect_named(finding.rule)
        remedy = remedy_of(finding.rule) if defect.fix is not None else None
        unasked = finding.evidence.status is Status.REFUTED and not refuted
        if defect.fix is None or remedy is None or unasked:
            continue
        yield PlannedFix(
            finding=finding,
            promise=defect.fix,
            remedy=remedy,
            applicability=applicability_of(defect.fix, finding),
            guesses=defect.fix.applicability is not Applicability.SAFE,
            place=place,
            number=alike[place],
        )


def applicability_of(promise: FixPromise, finding: Finding) -> Applicability:
    """How far the fix of this instance may go: what is not confirmed is never safe to mend."""
    if finding.evidence.status is Status.CONFIRMED:
        return promise.applicability
    return weakest(promise.applicability, Applicability.UNSAFE)


def limited(fix: PlannedFix, limit: Applicability) -> PlannedFix:
    """The fix, no further than its remedy lets this instance go."""
    return replace(
        fix,
        applicability=weakest(fix.applicability, limit),
        guesses=fix.guesses or limit is not Applicability.SAFE,
    )


def weakest(*found: Applicability) -> Applicability:
    """The one that lets a fix go the least far."""
    order = list(Applicability)
    return max(found, key=order.index)


def remedy_of(rule: str) -> Remedy | None:
    """The codemod of a rule, or None where there is none.

    Raises CatalogError where its module does not hold one: a fault of gptdoctor's own.
    """
    name = f"{REMEDIES}.{module_of(defect_named(rule))}"
    try:
        if importlib.util.find_spec(name) is None:
            return None
    except ModuleNotFoundError:  # not even the family has remedies
        return None
    remedy = getattr(importlib.import_module(name), "REMEDY", None)
    if not isinstance(remedy, Remedy):
        raise CatalogError(f"the module {name} holds no REMEDY")
    return remedy
