"""Labels for a text, in every convention that models have for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from gptdoctor.specimen.inputs import Recipe

# What makes the labels [B, T] of ids [B, T] for a parameter of this name.
LabelsOf = Callable[[str, Tensor], Tensor]
# Names under which labels are already shifted by one (nanoGPT's convention).
_SHIFTED_NAMES = re.compile(r"targets?|y|next_.*|shifted_.*")


def text_of(recipe: Recipe, inputs: Mapping[str, Any]) -> Tensor:
    """The ids [B, T] that the logits continue."""
    ids: Tensor = inputs[recipe.ids]
    layout = recipe.layout(inputs)
    return ids.t().contiguous() if recipe.time_first else ids.view(layout.batch, layout.length)


def names_next(name: str) -> bool:
    """Whether labels of this name promise to be shifted by whoever gives them."""
    return _SHIFTED_NAMES.fullmatch(name.lower()) is not None


def labels_for(name: str, ids: Tensor) -> Tensor:
    """Labels for ids [B, T], such that every convention gives a finite loss that can be learned.

    Under a name that promises shifted labels the ids are shifted by one, with the first in the
    last place: a number below 0 would be refused by a model that ignores another one.  Else the
    ids themselves: a model that does not shift them learns to copy, which is a task too.
    """
    return ids.roll(-1, dims=1) if names_next(name) else ids.clone()
