"""Records, suspicions and convictions for the tests of the diagnosis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gptdoctor.core.findings import Conviction, Location, Place, Status, Suspicion
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.learning import Learning, LearningRun
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import Ending, Measured, ModelRecord, Unmeasured
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.source.project import Project

PATH = "model.py"
TEXT = """import torch
from torch import nn


class Net(nn.Module):
    def forward(self, ids):
        return self.helper(ids)

    def helper(self, ids):
        return ids

    def other(self, ids):
        return ids
"""
FINISHED = Ending(kind="finished", stage="learning", detail="")


def project(tmp_path: Path) -> Project:
    """A project that holds TEXT in model.py."""
    (tmp_path / PATH).write_text(TEXT)
    return Project(root=tmp_path)


def target(name: str = "Net") -> ModelTarget:
    """The model of TEXT."""
    return ModelTarget(
        path=PATH, name=name, line=5, end_line=13, entry="forward", family=(f"{PATH}::{name}",)
    )


def suspicion(rule: str = "GD101", symbol: str = "Net.helper", line: int = 9) -> Suspicion:
    """A suspicion about a method of two lines."""
    location = Location(path=PATH, line=line, column=5, end_line=line, end_column=20)
    return Suspicion(
        rule=rule, location=location, symbol=symbol, message="it is so", extent=(line, line + 1)
    )


def conviction(status: Status, **changes: Any) -> Conviction:
    """What gradient-flow says of Net.helper."""
    fields: dict[str, Any] = {
        "rule": "GD101",
        "status": status,
        "probe": "gradient-flow",
        "place": Place(path=PATH, symbol="Net.helper", line=9),
        "message": "measured so",
        "values": {"parameters_changed": 2},
    }
    return Conviction(**(fields | changes))


def measured(probe: str, measurement: Measurement, *lines: int) -> Measured:
    """A measurement, and the lines of model.py that ran."""
    return Measured(probe=probe, measurement=measurement, executed={PATH: lines})


def construction(outcome: str = "built", crash: Crash | None = None) -> Construction:
    """A construction with this outcome."""
    return Construction(
        outcome=outcome,
        build="Net()",
        call="model(ids)",
        entry="forward",
        parameters=10,
        vocabulary=97,
        batch=3,
        length=7,
        inputs=(),
        optional_inputs=(),
        returns="logits",
        crash=crash,
        tried=(),
    )


def learning(first: float = 4.6, best: float = 0.3) -> Learning:
    """A learning run from one loss to another."""
    run = LearningRun(
        learning_rate=3e-3, first_loss=first, best_loss=best, steps=40, steps_to_tenth=None
    )
    return Learning(
        objective="own loss",
        batch=2,
        length=12,
        runs=(run,),
        milliseconds_per_step=4.0,
        crash=None,
    )


def record(
    *all_measured: Measured,
    unmeasured: tuple[Unmeasured, ...] = (),
    ending: Ending = FINISHED,
    name: str = "Net",
) -> ModelRecord:
    """A record with these measurements."""
    return ModelRecord(
        target=target(name),
        measured=all_measured,
        unmeasured=unmeasured,
        ending=ending,
        output="",
        seconds=1.0,
        torch="2.13.0",
        python="3.11",
    )
