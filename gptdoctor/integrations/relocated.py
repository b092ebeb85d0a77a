"""Measurements of code from cells, told by lines of the notebook that the cells make up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from gptdoctor.core.measurements.record import Measured, ModelRecord
from gptdoctor.integrations.session_cells import PATH

_Value = TypeVar("_Value")


def relocated(record: ModelRecord, first_lines: Mapping[str, int]) -> ModelRecord:
    """The record with every place in a cell moved to the notebook.

    `first_lines`: where each cell begins in the notebook, by the path that its code has.
    """
    if not first_lines:
        return record
    return replace(record, measured=tuple(_measured(one, first_lines) for one in record.measured))


def _measured(measured: Measured, first_lines: Mapping[str, int]) -> Measured:
    executed: dict[str, tuple[int, ...]] = {}
    for path, lines in measured.executed.items():
        first = first_lines.get(path)
        if first is None:
            executed[path] = lines
        else:
            executed[PATH] = (*executed.get(PATH, ()), *(line + first - 1 for line in lines))
    moved = _moved(measured.measurement, first_lines)
    return replace(measured, measurement=moved, executed=executed)


def _moved(value: _Value, first_lines: Mapping[str, int]) -> _Value:
    """A value in which each dataclass with `path` and `line` points into the notebook."""
    if isinstance(value, tuple):
        return type(value)(_moved(member, first_lines) for member in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    names = [field.name for field in dataclasses.fields(value)]
    changed: dict[str, Any] = {name: _moved(getattr(value, name), first_lines) for name in names}
    first = first_lines.get(changed.get("path", ""))
    if first is not None:
        changed["path"] = PATH
        for name in ("line", "end_line"):
            if isinstance(changed.get(name), int):
                changed[name] += first - 1
    return type(value)(**changed)
