"""Which of batch and time a model takes for the first, told by what moves when an id changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from gptdoctor.specimen.duplicate import duplicate
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.outputs import tensors_in
from gptdoctor.specimen.trial import SHAPES, Trial, attempt


def in_order(model: nn.Module, trial: Trial, seed: int) -> Trial:
    """The same call in [T, B] order where the model turns out to want that.

    With batch first, the first token moves its own row; a model that wants time first takes the
    first dimension for the time, and moves only what stands in the first column.  So does one that
    exchanges the two on its way out; but where they differ, it gives what the ids do not tell of.
    """
    recipe, batch, length = trial.recipe, trial.batch, trial.length
    if min(batch, length) < 2 or recipe.forms[recipe.ids].shape != ("B", "T"):
        return trial
    moved = what_moves(model, trial, (0, 0), seed)
    if moved is None or moved.dim() != 2:
        return trial
    if moved[0, 1:].any() or not moved[1:, 0].any() or moved[1:, 1:].any():
        return trial
    recipe = replace(recipe, time_first=True)
    apart = attempt(model, recipe, *SHAPES[0], seed)
    if apart.works or _gives_batch_first(apart):
        return apart if apart.works else trial
    turned = attempt(model, recipe, batch, length, seed)
    return turned if turned.works else trial


def _gives_batch_first(trial: Trial) -> bool:
    """Whether something comes out as [B, T, ...] though the ids went in as [T, B]."""
    found = () if trial.outputs is None else tensors_in(trial.outputs.raw)
    sizes = trial.batch, trial.length
    return any(tensor.dim() == 3 and tensor.shape[:2] == sizes for _, tensor in found)


def what_moves(model: nn.Module, trial: Trial, where: Any, seed: int) -> torch.Tensor | None:
    """Which logits [B, T] change with the ids at `where`, or are no numbers; None: not known."""
    recipe = trial.recipe
    inputs = recipe.inputs(trial.batch, trial.length, seed)
    quiet = duplicate(model).eval()
    with torch.no_grad():
        before = _logits(quiet, recipe, inputs)
        ids = inputs[recipe.ids].clone()
        ids[where] = ids[where] % (recipe.ids_below - 1) + 1  # another id
        after = _logits(quiet, recipe, {**inputs, recipe.ids: ids})
    if before is None or after is None or before.shape != after.shape:
        return None
    return (before != after).any(dim=-1)  # NaN is unlike itself


def _logits(model: nn.Module, recipe: Recipe, inputs: Mapping[str, Any]) -> torch.Tensor | None:
    torch.manual_seed(0)
    try:
        return recipe.call(model, inputs).logits
    except FAILURES:
        return None
