"""Writes over what experts with stacked weights have given, before anything has read it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.routed_experts import LostRows
from gptdoctor.probes.instruments.arguments import storage_key, tensors, writes_in_place
from gptdoctor.probes.instruments.coverage import (
    REPLACING,
    REPLACING_ELSEWHERE,
    accumulates,
    covered,
    read_region,
)
from gptdoctor.probes.instruments.expert_groups import ExpertGroup
from gptdoctor.probes.instruments.expert_results import ExpertResults
from gptdoctor.probes.instruments.stacked_weights import parameter_of
from gptdoctor.specimen.places import user_place


class StackWrites(TorchFunctionMode):
    """While active, follows what derives from the stacked weights of a group of experts.

    Each write of such values is a result of its own: no module tells which expert gave it.
    """

    def __init__(self, group: ExpertGroup, root: str) -> None:
        super().__init__()
        self._root, self._results = root, ExpertResults()
        self._made_of = {storage_key(parameter_of(each)) for each in group.stacks}
        self._alive: list[Tensor] = []  # a storage that is freed would lend its identity
        self._lost: dict[tuple[Place, str], int] = {}

    @property
    def most(self) -> LostRows | None:
        """The statement that wrote over the most rows; None: there is none."""
        found = max(self._lost.items(), key=lambda one: one[1], default=None)
        if found is None:
            return None
        (place, name), rows = found
        return LostRows(place=place, operation=name, rows=rows)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        result = func(*args, **kwargs)
        if args and isinstance(args[0], Tensor):
            self._follow(name, args[0], (*args[1:],), kwargs, result)
        given = [each for each in tensors((args, kwargs)) if each.is_floating_point()]
        if any(storage_key(each) in self._made_of for each in given):
            for made in tensors(result):
                self._made_of.add(storage_key(made))
                self._alive.append(made)
            if writes_in_place(name) and given:
                self._made_of.add(storage_key(given[0]))
        return result

    def _follow(
        self,
        name: str,
        target: Tensor,
        rest: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        told = name == "__setitem__" or any(e.is_floating_point() for e in tensors(result))
        if not told:
            return  # a question, as `out.dtype`
        values = [each for each in tensors((rest, dict(kwargs))) if each.is_floating_point()]
        self._read(values)
        if name in REPLACING_ELSEWHERE and isinstance(result, Tensor):
            self._results.move(target, result)
            name, target = f"{name}_", result
        elif not writes_in_place(name):
            if not _is_view(target, result):
                self._read([target])
            return
        if name in REPLACING and not accumulates(name, rest, kwargs):
            self._write(name, target, rest, kwargs, values)

    def _write(
        self,
        name: str,
        target: Tensor,
        rest: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        values: list[Tensor],
    ) -> None:
        region = covered(name, target, rest, kwargs)
        if not any(storage_key(each) in self._made_of for each in values):
            self._results.replace(target, region, frozenset())
            return
        source = len(self._results.open)
        self._results.open.add(source)
        rows = self._results.replace(target, region, frozenset({source}))
        place = user_place(sys._getframe(3), self._root) if rows else None
        if place is not None:
            key = place, name.strip("_")
            self._lost[key] = self._lost.get(key, 0) + rows

    def _read(self, given: list[Tensor]) -> None:
        for each in given:
            if self._results.holds(each):
                self._results.read(each, read_region("", each, ()))


def _is_view(target: Tensor, result: Any) -> bool:
    """Whether a result is the same memory in another form, which nobody has read yet."""
    return isinstance(result, Tensor) and storage_key(result) == storage_key(target)
