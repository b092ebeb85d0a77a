"""Measurements and defects give convictions: what running the model says of each rule."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Conviction
from gptdoctor.core.measurements.record import ModelRecord


def judge(record: ModelRecord) -> Iterator[Conviction]:
    """What every defect reads in the measurements of one model."""
    for defect in all_defects():
        for measured in record.measured:
            handler = defect.convicts.get(measured.probe)
            if handler is not None:
                yield from handler(measured.measurement, record)
