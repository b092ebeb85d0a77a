"""What the run of a model that a test writes as text convicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.record import Measured
from gptdoctor.judge import judge
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.specimen import Specimen
from tests.defects.records import NO_RECORD


def confirmed(made: Specimen, probes: Sequence[Probe]) -> list[Conviction]:
    """The convictions of all rules from these probes; symptoms of another are left out."""
    measured = tuple(Measured(probe=one.name, measurement=one.measure(made)) for one in probes)
    record = replace(NO_RECORD, target=made.target, measured=measured)
    found = [one for one in judge(record) if one.status is Status.CONFIRMED]
    roots = [one for one in found if not one.symptom]
    return roots or found


def line_in(made: Specimen, one: Conviction) -> int | None:
    """The line of a conviction."""
    return None if one.place is None else one.place.line
