"""The inputs that the user gives with a model, and others like them where that is safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.specimen.forms import distinct_ids
from gptdoctor.specimen.given_values import GivenValues, given_values
from gptdoctor.specimen.roles import Slot

_PLAIN = (bool, int, float, str, type(None))
# Inputs of shape [B, T] of which we know what others of them look like.
_KNOWN = ("ids", "labels", "mask", "positions")


@dataclass(frozen=True, kw_only=True)
class GivenInputs:
    """The user's own tensors at their own sizes; a `given_call.Supply`.

    Where all of them are ids, labels, masks or positions [B, T], others of any batch and length
    are made, so that probes can vary them.
    """

    own: GivenValues
    seed: int  # the one that the user's own tensors are given for
    kinds: Mapping[str, str]  # of the inputs that can be made anew; empty: none can
    shape: tuple[int, ...] = field(default=())  # of the ids

    @property
    def entry(self) -> str:
        """The method that is called."""
        return self.own.entry

    @property
    def text(self) -> str:
        """No text: the call is made of values."""
        return ""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The parameters of the entry."""
        return self.own.slots

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """B and T of the tensors."""
        return self.own.sizes

    def inputs(self, batch: int, length: int, seed: int, below: int) -> dict[str, Any]:
        """The inputs by parameter; raises NoCallError where there are none of these sizes."""
        if not self.kinds or ((batch, length) == self.shape and seed == self.seed):
            return self.own.inputs(batch, length, seed, below)
        ids = distinct_ids((batch, length), below, torch.Generator().manual_seed(seed))
        return {
            name: _like(value, self.kinds[name], ids) if name in self.kinds else value
            for name, value in self.own.values.items()
        }

    def run(self, model: nn.Module, inputs: Mapping[str, Any]) -> Any:
        """Call the entry of `model` with `inputs`."""
        return self.own.run(model, inputs)

    def code(self, batch: int, length: int, below: int) -> str:
        """The call as code that a user can paste behind `model = ...`."""
        return self.own.code(batch, length, below)


def given_inputs(
    model: nn.Module, entry: str, arguments: tuple[Any, ...], named: Mapping[str, Any], seed: int
) -> GivenInputs:
    """The call with these arguments; raises NoCallError where the entry does not take them."""
    own = given_values(model, entry, _on_cpu(arguments), _on_cpu(named))
    tensors = {name: value for name, value in own.values.items() if isinstance(value, Tensor)}
    kinds = _kinds(tensors, own.slots)
    shapes = {tuple(value.shape) for value in tensors.values()}
    plain = all(isinstance(value, (Tensor, *_PLAIN)) for value in own.values.values())
    alike = len(shapes) == 1 and all(len(shape) == 2 for shape in shapes)
    varied = plain and alike and "ids" in kinds.values() and set(kinds.values()) <= set(_KNOWN)
    return GivenInputs(
        own=own, seed=seed, kinds=kinds if varied else {}, shape=next(iter(shapes), ())
    )


def _kinds(tensors: Mapping[str, Tensor], slots: tuple[Slot, ...]) -> dict[str, str]:
    """What each tensor is; the only one of whole numbers is the ids, whatever it is called."""
    known = {slot.name: slot.kind for slot in slots}
    kinds = {name: known.get(name, "other") for name in tensors}
    whole = [name for name, value in tensors.items() if not value.is_floating_point()]
    if len(whole) == 1 and kinds[whole[0]] not in ("mask", "positions", "labels"):
        kinds[whole[0]] = "ids"
    return kinds


def _like(value: Tensor, kind: str, ids: Tensor) -> Tensor:
    """Another input [B, T] of one kind, for other ids [B, T]."""
    if kind == "mask":
        return torch.ones(ids.shape, dtype=value.dtype)
    if kind == "positions":
        return torch.arange(ids.shape[1], dtype=value.dtype).expand(ids.shape).contiguous()
    return ids.to(value.dtype)


def _on_cpu(values: Any) -> Any:
    """The tensors of a call where all other inputs are made, without their gradients."""
    if isinstance(values, Mapping):
        return {name: _moved(value) for name, value in values.items()}
    return tuple(_moved(value) for value in values)


def _moved(value: Any) -> Any:
    return value.detach().cpu() if isinstance(value, Tensor) else value
