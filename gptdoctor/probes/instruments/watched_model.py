"""What a method does to the model that it generates with: modes, gradients, what it is given."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.generation import ModeSwitch
from gptdoctor.probes.instruments.fixed_logits import at
from gptdoctor.specimen.outputs import Path, substitute, tensors_in
from gptdoctor.specimen.places import user_place


@dataclass(frozen=True)
class Pass:
    """One forward pass."""

    training: bool
    differentiable: bool  # gradients were on, and the output has a graph
    ids: Tensor | None  # [B, T] or [T], a copy
    place: Place | None  # the user's line that asked for it


class WatchedModel:
    """Notes the forward passes of `model` and who switches its mode.

    With a `way` to the logits in its output they are made `factor` times as large.
    """

    def __init__(
        self, model: nn.Module, entry: str, root: str, way: Path | None = None, factor: float = 1.0
    ) -> None:
        self._way, self._factor = way, factor
        self.passes: list[Pass] = []
        self.switches: list[ModeSwitch] = []
        self._model, self._root, self._inside = model, root, False
        for name in {entry, "forward"}:
            if getattr(type(model), name, None) is not nn.Module.forward:
                setattr(model, name, self._watched(getattr(model, name)))
        self._train = model.train
        setattr(model, "train", self._switched)  # noqa: B010 - mypy sees a method

    @property
    def training(self) -> bool:
        """The mode that the model is in."""
        return self._model.training

    def _watched(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if self._inside:  # an entry that calls `forward` is one pass
                return original(*args, **kwargs)
            self._inside = True
            place = user_place(sys._getframe(1), self._root)
            try:
                result = original(*args, **kwargs)
            finally:
                self._inside = False
            if self._way is not None:
                sharper = at(result, self._way) * self._factor
                result = substitute(result, self._way, sharper)
            given = (value for value in (*args, *kwargs.values()) if _is_ids(value))
            ids = next(given, None)
            self.passes.append(
                Pass(
                    training=self._model.training,
                    differentiable=torch.is_grad_enabled()
                    and any(tensor.requires_grad for _, tensor in tensors_in(result)),
                    ids=None if ids is None else ids.detach().cpu().clone(),
                    place=place,
                )
            )
            return result

        return watched

    def _switched(self, mode: bool = True) -> nn.Module:
        place = user_place(sys._getframe(1), self._root)
        if place is not None and place.line is not None:
            self.switches.append(
                ModeSwitch(
                    path=place.path, symbol=place.symbol, line=place.line, training=bool(mode)
                )
            )
        return self._train(mode)


def _is_ids(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.long and value.dim() in (1, 2)
