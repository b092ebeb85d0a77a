"""A call with vectors where ids were thought to be wanted: a bare backbone takes activations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from gptdoctor.specimen.forms import Form
from gptdoctor.specimen.meeting import Meeting
from gptdoctor.specimen.roles import names_ids
from gptdoctor.specimen.trial import SHAPES, Trial, attempt, run_quietly

_SENTINEL = 37  # a width that nothing else has
# Layers that tell how wide what they are given must be.
_TELLING = ("normalized_shape", "in_features", "embed_dim", "input_size")


def with_activations(model: nn.Module, trial: Trial, seed: int) -> Trial | None:
    """The call with vectors [B, T, D] for the first input; None where that does not run either."""
    recipe = trial.recipe
    if names_ids(recipe.ids):
        return None
    slots = tuple(
        replace(slot, kind="features") if slot.name == recipe.ids else slot for slot in recipe.slots
    )
    for width in dict.fromkeys(_widths(model, trial, seed)):
        # Where B equals T, vectors for each token fit by chance what wants one for each row.
        rows: tuple[str | int, ...] = ("B", width)
        tokens: tuple[str | int, ...] = ("B", "T", width)
        for shape, (batch, length) in ((tokens, SHAPES[0]), (rows, SHAPES[0]), (tokens, SHAPES[1])):
            forms = {**recipe.forms, recipe.ids: Form(shape=shape)}
            given = replace(recipe, slots=slots, forms=forms)
            found = attempt(model, given, batch, length, seed)
            if found.runs:
                return found
    return None


def _widths(model: nn.Module, trial: Trial, seed: int) -> Iterator[int]:
    """D by the weight that a first guess meets, else by the first layers that tell theirs."""
    batch, length = SHAPES[0]
    form = Form(shape=("B", "T", _SENTINEL))
    recipe = replace(trial.recipe, forms={**trial.recipe.forms, trial.recipe.ids: form})
    inputs = recipe.inputs(batch, length, seed)
    meeting = Meeting(inputs[recipe.ids])
    run_quietly(model, recipe, inputs, meeting)
    if meeting.operation == "linear":
        yield meeting.width
    for module in model.modules():
        told = next((getattr(module, name) for name in _TELLING if hasattr(module, name)), None)
        last = told[-1] if isinstance(told, tuple) and told else told
        if isinstance(last, int):
            yield last
            return
