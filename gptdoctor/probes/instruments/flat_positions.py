"""Tables of positions that say the same of every position, and the statement that made them so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.arguments import storage_key, tensors, writes_in_place
from gptdoctor.probes.instruments.blame import flow_place
from gptdoctor.probes.instruments.positions import Holder, holders
from gptdoctor.probes.instruments.rebuilding import rebuilt
from gptdoctor.probes.instruments.statements import assignment_place
from gptdoctor.specimen.places import user_place
from gptdoctor.specimen.specimen import Specimen


def positions_are_flat(model: nn.Module, length: int) -> bool:
    """Whether all that holds positions are tables of at least `length` equal rows."""
    found = list(holders(model))
    return bool(found) and all(_is_flat_table(each.value, length) for each in found)


def _is_flat_table(value: Tensor, length: int) -> bool:
    dim = next((dim for dim, size in enumerate(value.shape) if size >= length), None)
    return dim is not None and value.dim() > 1 and _is_flat(value, dim)


def _is_flat(value: Tensor, dim: int) -> bool:
    return bool((value == value.narrow(dim, 0, 1)).all())


@dataclass(frozen=True)
class _Step:
    """One operation of a constructor."""

    name: str
    place: Place | None
    sources: frozenset[int]  # keys of the memory of what went in
    target: int  # of what came out, or was written to
    flat_sizes: frozenset[int]  # sizes of the dimensions along which the result is the same


class _Steps(TorchFunctionMode):
    """While active, lists the operations, with what their results looked like."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.found: list[_Step] = []
        self._root = root
        self._alive: list[Tensor] = []  # so that no two have the same memory

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(getattr(func, "__name__", ""))
        given = list(tensors((args, kwargs or {})))
        made = given[:1] if writes_in_place(name) else list(tensors(result))
        self._alive += [*given, *made]
        with torch._C.DisableTorchFunction():
            for each in made:
                if each.numel() and not each.is_sparse and not each.is_meta:
                    self._note(name, given, each)
        return result

    def _note(self, name: str, given: list[Tensor], made: Tensor) -> None:
        flat = (size for dim, size in enumerate(made.shape) if size > 1 and _is_flat(made, dim))
        self.found.append(
            _Step(
                name=name,
                place=user_place(sys._getframe(2), self._root),
                sources=frozenset(map(storage_key, given)),
                target=storage_key(made),
                flat_sizes=frozenset(flat),
            )
        )


def flat_place(specimen: Specimen, length: int) -> FlowPlace | None:
    """The statement of the constructor from which on all positions are the same."""
    steps = _Steps(specimen.root)
    again = rebuilt(specimen, steps)
    for holder in holders(again or specimen.model):
        step = _first_flat(steps.found, holder, length) if again is not None else None
        if step is not None:
            return flow_place(step.place, step.name)
        name = holder.name.rpartition(".")[2]
        place = assignment_place(holder.owner, name, specimen.root)
        if place is not None:
            return flow_place(place, "table")
    return None


def _first_flat(steps: list[_Step], holder: Holder, length: int) -> _Step | None:
    """The first step towards a table at which its rows are equal, and that no other overwrites."""
    rows = next((size for size in holder.value.shape if size >= length), 0)
    behind = {storage_key(holder.value)}
    leading = []
    for step in reversed(steps):
        if step.target in behind:
            leading.append(step)
            behind |= step.sources
    written = {step.target for step in steps if writes_in_place(step.name)}
    return next(_flat(reversed(leading), rows, written), None)


def _flat(steps: Iterator[_Step], rows: int, written: set[int]) -> Iterator[_Step]:
    for step in steps:
        if rows in step.flat_sizes and step.target not in written and step.place is not None:
            yield step
