"""Which write into a tensor makes backward fail: torch tells of it too late to name the line."""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import InPlaceWrite
from gptdoctor.probes.instruments.arguments import memory_of, tensors
from gptdoctor.probes.instruments.effects import loss_of
from gptdoctor.probes.instruments.stack import Line, user_line
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import project_path, symbol_of
from gptdoctor.specimen.specimen import Specimen

BROKEN = re.compile(r"modified by an inplace operation")


@dataclass(kw_only=True)
class _Saved:
    """A tensor that backward will need, as it was then."""

    tensor: Tensor  # shares its memory and its version
    version: int
    line: Line | None


@dataclass(kw_only=True)
class _Write:
    """An operation after which a tensor had another version."""

    memory: int
    before: int
    operation: str
    line: Line | None


class _Watch(TorchFunctionMode):
    """Notes what is written into, and, with its hook, what is kept for backward."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.saved: list[_Saved] = []
        self.writes: list[_Write] = []
        self._root = root

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = [each for each in tensors((args, kwargs or {})) if not each.is_inference()]
        before = [each._version for each in given]
        result = func(*args, **(kwargs or {}))
        for each, version in zip(given, before, strict=True):
            if each._version != version:
                write = _Write(
                    memory=memory_of(each),
                    before=version,
                    operation=getattr(func, "__name__", ""),
                    line=user_line(sys._getframe(1), self._root),
                )
                self.writes.append(write)
        return result

    def pack(self, tensor: Tensor) -> int:
        """Called by torch for each tensor that backward will need."""
        line = user_line(sys._getframe(1), self._root)
        self.saved.append(_Saved(tensor=tensor.detach(), version=tensor._version, line=line))
        return len(self.saved)

    def culprit(self) -> tuple[_Write, _Saved] | None:
        """The first write into what was kept last: backward comes to that first."""
        for saved in reversed(self.saved):
            if saved.tensor._version == saved.version:
                continue
            memory = memory_of(saved.tensor)
            for write in self.writes:
                if write.memory == memory and write.before >= saved.version:
                    return write, saved
        return None


def write_behind(crash: Crash, specimen: Specimen, seed: int) -> InPlaceWrite | None:
    """The write that a crash in backward comes from; None where it is another kind of crash."""
    if crash.stage != "backward" or not BROKEN.search(crash.message):
        return None
    model, watch = specimen.copy(), _Watch(specimen.root)
    hooks = torch.autograd.graph.saved_tensors_hooks(watch.pack, _never)
    try:
        with warnings.catch_warnings(), hooks, watch:
            warnings.simplefilter("ignore")
            loss_of(specimen, model, seed)
    except FAILURES:
        return None
    found = watch.culprit()
    return None if found is None else _told(*found, specimen.root)


def _never(packed: int) -> Tensor:
    raise RuntimeError("this pass has no backward")


def _told(write: _Write, saved: _Saved, root: str) -> InPlaceWrite | None:
    if write.line is None:
        return None
    code, line = write.line
    return InPlaceWrite(
        path=project_path(code.co_filename, root) or "",
        symbol=symbol_of(code),
        line=line,
        operation=write.operation,
        needed_line=0 if saved.line is None else saved.line[1],
    )
