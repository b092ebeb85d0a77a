"""A task for models without logits: each row is to give what another row gave at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.specimen.duplicate import duplicate_to_train
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.specimen import Loss


def exchanged_rows(start: nn.Module, recipe: Recipe) -> Loss:
    """How far the vectors of each row are from what the next row's were at the `start`.

    A backbone or a classifier has no task of its own here.  This is one that suits whatever it
    gives, since it gave it itself; the mean square is relative to that of the aim.  Where all rows
    are equal, a fixed one stands in for it.
    """

    def loss(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        with torch.no_grad():
            aim = _features(recipe, duplicate_to_train(start), inputs)
        start_at, aim = aim, aim.roll(1, dims=0 if aim.shape[0] > 1 else aim.dim() - 1)
        if torch.equal(aim, start_at):  # a last layer of zeros gives the same for all
            aim = torch.arange(aim.numel()).cos().view_as(aim).to(aim)
        features = _features(recipe, model, inputs)
        return (features - aim).square().mean() / aim.square().mean().clamp_min(_TINY)

    return loss


_TINY = 1e-12  # of an aim that is nothing but zeros


def _features(recipe: Recipe, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
    features = recipe.call(model, inputs).features
    if features is None:
        raise ValueError(f"{recipe.entry} returned no vectors for each row")
    return features
