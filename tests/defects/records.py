"""A worker's record for handlers that read the measurement alone."""

from __future__ import annotations

from gptdoctor.core.measurements.record import Ending, ModelRecord
from gptdoctor.core.specimens import ModelTarget

NO_RECORD = ModelRecord(
    target=ModelTarget(path="model.py", name="Net", line=1, end_line=9, entry="forward"),
    measured=(),
    unmeasured=(),
    ending=Ending(kind="finished", stage="", detail=""),
    output="",
    seconds=0.0,
    torch=None,
    python="3.11",
)
