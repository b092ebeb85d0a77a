"""Labels that must be given, and are shares: a number for each of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from gptdoctor.specimen.class_labels import shares_like
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.trial import SHAPES, Trial, attempt


def lacks_labels(recipe: Recipe) -> bool:
    """Whether labels that must be given are None: how that fails tells nothing."""
    return any(recipe.forms[name].shape is None for name in required_labels(recipe))


def with_shares(model: nn.Module, recipes: Sequence[Recipe], seed: int) -> Trial | None:
    """A call that works with shares for labels, as many as the loss says that there are scores."""
    batch, length = SHAPES[0]
    for recipe in recipes:
        names = required_labels(recipe)
        if len(names) != 1 or recipe.forms[names[0]].fill != "shares":
            continue
        refused = attempt(model, recipe, batch, length, seed).error
        form = shares_like(refused, batch, length)
        if form is not None:
            forms = {**recipe.forms, names[0]: form}
            found = attempt(model, replace(recipe, forms=forms), batch, length, seed)
            if found.runs:
                return found
    return None


def required_labels(recipe: Recipe) -> list[str]:
    """The parameters for labels that must be given."""
    return [slot.name for slot in recipe.slots if slot.kind == "labels" and slot.required]
