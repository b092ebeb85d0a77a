"""Where the results of experts lie in memory, and which are written over before they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gptdoctor.probes.instruments.arguments import storage_key
from gptdoctor.probes.instruments.coverage import element_count, seen_through

Sources = frozenset[int]  # the calls of experts that something derives from


@dataclass
class _Entry:
    """Results that were written into one memory and nobody has read yet."""

    sources: Sources
    cover: Tensor  # [elements of the memory], bool


class ExpertResults:
    """What each tensor derives from, and the unread results in each memory.

    A memory is known by its storage, so that all views of a tensor count as one.  All tensors
    that are known are kept alive: a storage that is freed would lend its identity to another.
    """

    def __init__(self) -> None:
        self.open: set[int] = set()  # calls whose results are still being combined
        self._sources: dict[int, Sources] = {}
        self._entries: dict[int, list[_Entry]] = {}
        self._alive: list[Tensor] = []

    def sources(self, tensors: Iterable[Tensor]) -> Sources:
        """The open calls that any of `tensors` derives from."""
        found: set[int] = set()
        for tensor in tensors:
            found |= self._sources.get(storage_key(tensor), frozenset())
        return frozenset(found & self.open)

    def derive(self, tensor: Tensor, sources: Sources) -> None:
        """Note that `tensor` derives from `sources`, beside what it derived from before."""
        if sources:
            key = storage_key(tensor)
            self._sources[key] = self._sources.get(key, frozenset()) | sources
            self._alive.append(tensor)

    def keep(self, tensor: Tensor) -> None:
        """Keep the identity of `tensor` from being used again."""
        self._alive.append(tensor)

    def holds(self, tensor: Tensor) -> bool:
        """Whether the memory of `tensor` holds results that nobody has read."""
        return bool(self._entries.get(storage_key(tensor)))

    def read(self, tensor: Tensor, region: Tensor) -> None:
        """Note that the results in `region` [elements of the memory] went on into others."""
        for entry in self._entries.get(storage_key(tensor), ()):
            entry.cover &= ~region

    def replace(self, target: Tensor, region: Tensor, sources: Sources) -> int:
        """Write results of `sources` (none: other values) into `region`; the rows that were lost.

        Results are not lost to values that derive from them.  A row is the last dimension of
        `target`.
        """
        lost = torch.zeros_like(region)
        for entry in self._entries.get(storage_key(target), ()):
            if sources and not (entry.sources & self.open) <= sources:
                lost |= entry.cover & region
            entry.cover &= ~region
        self.add(target, region, sources)
        view = seen_through(lost, target)
        return int((view.any(dim=-1) if view.dim() > 1 else view).sum())

    def add(self, target: Tensor, region: Tensor, sources: Sources) -> None:
        """Note that `region` of the memory of `target` holds results of `sources` now."""
        if sources:
            entry = _Entry(sources=sources, cover=region.clone())
            self._entries.setdefault(storage_key(target), []).append(entry)
            self._alive.append(target)

    def move(self, old: Tensor, new: Tensor) -> None:
        """Note that `new` is a copy of `old`, in another memory, that takes its place."""
        if storage_key(old) == storage_key(new) or old.numel() != new.numel():
            return
        for entry in self._entries.pop(storage_key(old), []):
            marker = torch.zeros(element_count(new), dtype=torch.bool, device=new.device)
            seen_through(marker, new).copy_(seen_through(entry.cover, old).reshape(new.shape))
            self.add(new, marker, entry.sources)

    def blend(self, made: Tensor, parts: Sequence[tuple[Tensor, Tensor]]) -> int:
        """Note that `made` takes each part where its mask says; the rows that were lost.

        A part without unread results of its own is one result as a whole, if it derives from any.
        """
        lost = torch.zeros(made.shape, dtype=torch.bool, device=made.device)
        for part, mask in parts:
            others = self.sources(other for other, _ in parts if other is not part)
            entries = self._entries.pop(storage_key(part), None)
            if entries is None:
                self._add_view(made, mask, self.sources([part]))
            for entry in entries or ():
                view = torch.broadcast_to(seen_through(entry.cover, part), made.shape)
                if others and not (entry.sources & self.open) <= others:
                    lost |= view & ~mask
                self._add_view(made, view & mask, entry.sources)
        return int((lost.any(dim=-1) if lost.dim() > 1 else lost).sum())

    def _add_view(self, made: Tensor, view: Tensor, sources: Sources) -> None:
        marker = torch.zeros(element_count(made), dtype=torch.bool, device=made.device)
        seen_through(marker, made).copy_(view)
        self.add(made, marker, sources)
