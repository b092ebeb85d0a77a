"""A worker's record for handlers that read the measurement alone, and what a healthy one holds."""

from __future__ import annotations

from gptdoctor.core.measurements.context_use import ContextUse
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

ORDERED = ContextUse(
    length=7,
    precision="float32",
    least_influence=1e-6,
    context=0.5,
    order=0.4,
    least_order=1e-5,
    mixes_by=("Attention",),
    positions=(),
    positions_influence=None,
    weighs_alike=None,
    orders_itself=False,
    seeds=3,
    context_place=None,
    order_place=None,
)
