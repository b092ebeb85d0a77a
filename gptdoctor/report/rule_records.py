"""The rules as JSON, for those who make tools."""

from __future__ import annotations

from gptdoctor.catalog import family_of
from gptdoctor.core.repairs import FixPromise
from gptdoctor.defect import Defect
from gptdoctor.report.rule_parts import home_of


def rule_record(defect: Defect) -> dict[str, object]:
    """All that is told of a rule; fields may be added, and none is renamed or removed."""
    return {
        "code": defect.code,
        "name": defect.name,
        "family": family_of(defect),
        "severity": defect.severity.value,
        "in_text": defect.in_text,
        "confidence": defect.confidence.value if defect.in_text else None,
        "probes": sorted(defect.convicts),
        "summary": defect.summary,
        "explanation": defect.explanation,
        "harm": defect.harm,
        "confirmed_by": defect.confirmed_by,
        "sick": defect.sick,
        "healed": defect.healed,
        "fix": _fix(defect.fix),
        "home": home_of(defect),
    }


def _fix(fix: FixPromise | None) -> dict[str, str] | None:
    if fix is None:
        return None
    return {
        "applicability": fix.applicability.value,
        "title": fix.title,
        "safety": fix.safety,
    }
