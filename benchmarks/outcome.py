"""What became of one model that is to be built, called, and run forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.backward import Backward
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.diagnose.reasons import machine_lacks, missing_import

REASON_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One line of a benchmark's table."""

    path: str
    name: str
    kind: str  # of the reason why it was not examined; "" where it was
    told: str  # what it returns, or the reason
    seconds: float

    @property
    def cells(self) -> str:
        """The outcome and what is told of it, as two cells of a Markdown table."""
        told = self.told[:REASON_CHARACTERS].replace("|", "/").replace("`", "'")
        return f"{self.kind or 'examined'} | {told}"


def outcome_of(record: ModelRecord) -> Outcome:
    """What the worker tells of one model.

    It is examined if it was built, called, and run forward and backward to a finite loss that
    reaches a parameter.
    """
    kind, told = _kind_of(record)
    return Outcome(
        path=record.target.path,
        name=record.target.name,
        kind=kind,
        told=" ".join(told.split()),
        seconds=record.seconds,
    )


def _kind_of(record: ModelRecord) -> tuple[str, str]:
    """The kind of reason, "" for an examined model, and what it returns or the reason."""
    told = {measured.probe: measured.measurement for measured in record.measured}
    built, step = told.get("construction"), told.get("backward")
    if not isinstance(built, Construction):
        return record.ending.kind, f"{record.ending.detail} during {record.ending.stage}"
    if built.outcome != "built":
        lacking = machine_lacks(record) or missing_import(record)
        if lacking is not None:
            return "needs a package", lacking
        crash = built.crash
        text = "; ".join(built.tried[:1])
        if crash is not None:
            text = f"{crash.kind}: {crash.message} at {crash.path}:{crash.line}"
        missing = "No module named" in text or "ImportError" in text
        return "needs a package" if missing else built.outcome, text
    if record.ending.kind != "finished":
        return record.ending.kind, f"{record.ending.detail} during {record.ending.stage}"
    if not isinstance(step, Backward) or step.crash is not None:
        crash = step.crash if isinstance(step, Backward) else None
        return "no step backward", str(crash or [one.reason for one in record.unmeasured])
    if not step.finite:
        return "no step backward", "the loss is not finite"
    return ("", built.returns) if step.reached else ("no gradient", "it reaches no parameter")
