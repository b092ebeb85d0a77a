"""Which rows the experts computed, and which of them reached the output."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Overwrite:
    """A statement that wrote expert results over expert results."""

    path: str
    symbol: str
    line: int
    operation: str  # "setitem", "index_put_", "where", ...
    rows: int  # rows overwritten in one forward pass


@dataclass(frozen=True, kw_only=True)
class ExpertList:
    """The members of one list of like modules, over one forward pass."""

    name: str  # "blocks.0.moe.experts"
    path: str  # of the function that called them
    symbol: str
    experts: int
    experts_run: int
    rows_run: int  # rows that experts computed
    rows_lost: int  # of these, rows from which nothing reaches the output (gradient exactly 0)
    overwrites: tuple[Overwrite, ...]


@dataclass(frozen=True, kw_only=True)
class ExpertRouting(Measurement):
    """Probe expert-routing; no list at all means that the model has no experts."""

    lists: tuple[ExpertList, ...]
