"""Pictures, sounds and features beside the ids: in which form a model takes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from torch import nn

from gptdoctor.specimen.inputs import Form
from gptdoctor.specimen.meeting import Meeting
from gptdoctor.specimen.roles import MODALITIES, Slot
from gptdoctor.specimen.trial import SHAPES, Trial, attempt, run_quietly

_SENTINEL = 37  # a width that nothing else has
# Two modalities in each of four forms; more are a matter of luck.
_MOST_COMBINATIONS = 16


def with_modalities(model: nn.Module, trial: Trial, seed: int) -> Trial:
    """The call with every picture, sound and feature that works beside the ids."""
    for slot in trial.recipe.slots:
        if slot.kind in MODALITIES or _may_be_features(slot):
            trial = next(_with_slot(model, trial, slot, seed), trial)
    return trial


def _may_be_features(slot: Slot) -> bool:
    """Whether an optional parameter of unknown kind is declared to take a tensor."""
    return slot.kind == "other" and not slot.required and "Tensor" in slot.annotation


def _with_slot(model: nn.Module, trial: Trial, slot: Slot, seed: int) -> Iterator[Trial]:
    """The calls that work with `slot` given in one of the forms that its weight suggests."""
    for form in _forms_of(model, trial, slot, seed):
        recipe = replace(trial.recipe, forms={**trial.recipe.forms, slot.name: form})
        richer = attempt(model, recipe, trial.batch, trial.length, seed)
        if richer.works:
            yield richer


def _forms_of(model: nn.Module, trial: Trial, slot: Slot, seed: int) -> Iterator[Form]:
    """Forms for a picture, a sound or features, by the weight that a first guess of it meets."""
    guesses = [("B", "N", _SENTINEL), ("B", 3, 16, 16), ("B", _SENTINEL), ("B", "T")]
    for shape in guesses:
        ids = trial.recipe.ids_below if shape == ("B", "T") else None
        recipe = replace(
            trial.recipe,
            forms={**trial.recipe.forms, slot.name: Form(shape=shape, below=ids)},
        )
        inputs = recipe.inputs(trial.batch, trial.length, seed)
        meeting = Meeting(inputs[slot.name])
        run_quietly(model, recipe, inputs, meeting)
        maker = _FORMS.get(meeting.operation)
        if maker is not None:
            yield from maker(meeting.width)
            return
    if slot.kind != "other":
        yield from (Form(shape=shape) for shape in guesses[:3])


_FORMS: Mapping[str, Callable[[int], list[Form]]] = {
    "linear": lambda width: [
        Form(shape=("B", "N", width)),
        Form(shape=("B", width)),
        Form(shape=("B", "T", width)),
        Form(shape=("B", 1, width)),
    ],
    # 32 and 224 are the usual sizes where a model does not let one choose
    "conv2d": lambda colours: [Form(shape=("B", colours, n, n)) for n in (16, 32, 224)],
    "conv1d": lambda channels: [Form(shape=("B", channels, 16)), Form(shape=("B", channels, "T"))],
    "embedding": lambda below: [
        Form(shape=("B", "N"), below=below),
        Form(shape=("B", "T"), below=below),
    ],
}


def all_modalities(model: nn.Module, trial: Trial, seed: int) -> Trial | None:
    """A call with all pictures, sounds and features at once, for a model that refuses ids alone."""
    slots = [slot for slot in trial.recipe.slots if slot.kind in MODALITIES]
    guess = Form(shape=("B", "N", _SENTINEL))
    forms = {**trial.recipe.forms, **{slot.name: guess for slot in slots}}
    for batch, length in SHAPES[: 2 if slots else 0]:
        start = replace(
            trial, batch=batch, length=length, recipe=replace(trial.recipe, forms=forms)
        )
        for found in itertools.islice(_combined(model, start, slots, seed), _MOST_COMBINATIONS):
            if found.works:
                return found
    return None


def _combined(model: nn.Module, trial: Trial, slots: list[Slot], seed: int) -> Iterator[Trial]:
    """The calls with each of the forms that fit the first slot, then those of the others."""
    if not slots:
        yield attempt(model, trial.recipe, trial.batch, trial.length, seed)
        return
    for form in _forms_of(model, trial, slots[0], seed):
        forms = {**trial.recipe.forms, slots[0].name: form}
        chosen = replace(trial, recipe=replace(trial.recipe, forms=forms))
        yield from _combined(model, chosen, slots[1:], seed)
