"""Where code makes whole numbers fit that it should refuse: by clamping, wrapping or cutting."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.specimen.places import user_place

# Operations that leave numbers in a range as they are, and move those outside into it.  One that
# chooses by a condition (where, masked_fill) says which numbers it means: that is no accident.
_TAMING = frozenset(
    {
        *("clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_max", "minimum", "maximum"),
        *("min", "max", "remainder", "remainder_", "fmod", "fmod_", "__mod__", "abs", "__abs__"),
        *("bitwise_and", "__and__"),
    }
)
_WORDS = {"__mod__": "remainder", "__and__": "bitwise_and", "__abs__": "abs"}


class TamingWatch(TorchFunctionMode):
    """While active, notes what happens to `ids`, and to positions counted up to `length`.

    `tamed` is the first operation that gave an id of `ids` another value, with what it made of
    the one at `odd`; `fitted` the first that did so to positions 0, 1, ... `length` - 1, and
    `cut` the first slice that took tokens away from the ids.
    """

    def __init__(self, root: str, ids: Tensor, odd: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.tamed: tuple[str, int, Place] | None = None
        self.fitted: tuple[str, Place] | None = None
        self.cut: Place | None = None
        self._root, self._odd, self._shape = root, odd, ids.shape
        self._ids: dict[int, Tensor] = {id(ids): ids}  # and all whole numbers made of them

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        given = list(tensors((args, kwargs or {})))
        of_ids = [each for each in given if id(each) in self._ids]
        if name == "__getitem__" and len(of_ids) == len(given) == 1:
            self._note_cut(given[0], result)
        elif name == "__getitem__" and of_ids and isinstance(args[0], Tensor):
            self._note_index(args[0], of_ids[0])
        elif name in _TAMING and given and isinstance(result, Tensor):
            self._note_taming(_WORDS.get(name, name.rstrip("_")), given[0], result)
        if of_ids:
            for made in tensors(result):
                if not made.is_floating_point() and made.dtype != torch.bool:
                    self._ids[id(made)] = made
        return result

    def _place(self) -> Place | None:
        """The user's line that called what runs."""
        return user_place(sys._getframe(3), self._root)

    def _note_taming(self, name: str, given: Tensor, result: Tensor) -> None:
        same = given.shape == result.shape and not given.is_floating_point()
        if not same or torch.equal(given, result):
            return
        place = self._place()
        if place is None:
            return
        if self._odd is not None and id(given) in self._ids and given.shape == self._shape:
            alone = int((given != result).sum()) == 1  # a hash gives all ids other values
            if alone and given[self._odd] != result[self._odd]:
                self.tamed = self.tamed or (name, int(result[self._odd]), place)
        elif are_positions(given, self._shape):
            self.fitted = self.fitted or (name, place)

    def _note_index(self, table: Tensor, ids: Tensor) -> None:
        """A table that is indexed by ids counts negative ones from its end."""
        if self._odd is None or ids.shape != self._shape or int(ids[self._odd]) >= 0:
            return
        place = self._place()
        if place is not None and table.is_floating_point():
            after = table.shape[0] + int(ids[self._odd])
            self.tamed = self.tamed or ("indexing", after, place)

    def _note_cut(self, ids: Tensor, result: Any) -> None:
        """A slice of the ids that leaves out more than one token."""
        if isinstance(result, Tensor) and ids.shape == self._shape and result.dim() == 2:
            shorter = max(self._shape) - max(result.shape)
            if 1 < shorter < max(self._shape) - 1:
                self.cut = self.cut or self._place()


def are_positions(numbers: Tensor, shape: torch.Size) -> bool:
    """Whether whole numbers count the positions of a text of `shape`, alike in each row.

    Distances between positions are a matrix whose rows differ.
    """
    if numbers.dim() == 0 or numbers.shape[-1] not in shape:
        return False
    rows = numbers.reshape(-1, numbers.shape[-1])
    steps = rows[0].diff()
    return bool((rows == rows[0]).all()) and len(steps) > 0 and bool((steps == 1).all())
