"""The call of a specimen, made for an instance of other sizes."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from gptdoctor.specimen.forms import Form
from gptdoctor.specimen.inputs import Recipe


def at_size_of(model: nn.Module, recipe: Recipe) -> Recipe | None:
    """The recipe for `model`; None: an input that it needs has widths that nothing tells.

    What the tiny instance got beyond what is needed, an image as wide as its tower, is left out.
    """
    needed = {slot.name for slot in recipe.slots if slot.required} | {recipe.ids}
    if any(_has_widths(form) and name in needed for name, form in recipe.forms.items()):
        return None
    tables = [each.num_embeddings for each in model.modules() if isinstance(each, nn.Embedding)]
    # Ids that every table knows, also those of positions and of kinds of tokens.
    below = min((*tables, recipe.ids_below))
    largest = max((*tables, 2))
    heads = [
        each.out_features
        for each in model.modules()
        if isinstance(each, nn.Linear) and each.out_features >= largest
    ]
    forms = {
        name: form if form.below is None else replace(form, below=min(below, form.below))
        for name, form in recipe.forms.items()
        if not _has_widths(form)
    }
    return replace(recipe, forms=forms, ids_below=below, vocabularies=frozenset({*tables, *heads}))


def _has_widths(form: Form) -> bool:
    """Whether a shape holds a number, which fits the sizes of one instance alone."""
    return any(isinstance(dimension, int) and dimension > 1 for dimension in form.shape or ())
