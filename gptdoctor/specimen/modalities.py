"""Pictures, sounds and features beside the ids: in which form a model takes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from torch import nn

from gptdoctor.specimen.forms import Form
from gptdoctor.specimen.meeting import Meeting
from gptdoctor.specimen.placeholders import placed
from gptdoctor.specimen.roles import MODALITIES, Slot, is_state
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
    """Whether an optional parameter of an unknown name is declared to take a tensor."""
    unknown = slot.kind == "other" and not is_state(slot.name)
    return unknown and not slot.required and "Tensor" in slot.annotation


def _with_slot(model: nn.Module, trial: Trial, slot: Slot, seed: int) -> Iterator[Trial]:
    """The calls that work with `slot` given in one of the forms that its weight suggests."""
    for form in _met(model, trial, slot, seed) or _guessed(slot):
        for base in (trial, *placed(model, trial)):
            richer = attempt(
                model, _given(base, slot, form).recipe, trial.batch, trial.length, seed
            )
            if richer.full or (richer.works and not trial.full):
                yield richer


def _given(trial: Trial, slot: Slot, form: Form) -> Trial:
    """The trial, not run again, with `slot` given as well."""
    forms = {**trial.recipe.forms, slot.name: form}
    return replace(trial, recipe=replace(trial.recipe, forms=forms))


def _met(model: nn.Module, trial: Trial, slot: Slot, seed: int) -> list[Form]:
    """Forms for `slot` by the weight that a first guess of it meets; none where it meets none."""
    ids = Form(shape=("B", "T"), below=trial.recipe.ids_below)
    for form in (*_GUESSES, ids):
        recipe = _given(trial, slot, form).recipe
        inputs = recipe.inputs(trial.batch, trial.length, seed)
        meeting = Meeting(inputs[slot.name])
        run_quietly(model, recipe, inputs, meeting)
        if meeting.operation:
            return _FORMS[meeting.operation](meeting.width)
    return []


def _guessed(slot: Slot) -> tuple[Form, ...]:
    """Forms for a slot that meets no weight; none for one that may be anything."""
    return () if slot.kind == "other" else _GUESSES


_GUESSES = (
    Form(shape=("B", "N", _SENTINEL)),
    Form(shape=("B", 3, 16, 16)),
    Form(shape=("B", _SENTINEL)),
)
_FORMS: Mapping[str, Callable[[int], list[Form]]] = {
    "linear": lambda width: [
        Form(shape=("B", "N", width)),
        Form(shape=("B", width)),
        Form(shape=("B", "T", width)),
        Form(shape=("B", 1, width)),
    ],
    # 32 and 224 are the usual sizes where a model does not let one choose; 4 is one patch, for
    # which one token in the text is enough
    "conv2d": lambda colours: [Form(shape=("B", colours, n, n)) for n in (16, 32, 224, 4)],
    "conv1d": lambda channels: [Form(shape=("B", channels, 16)), Form(shape=("B", channels, "T"))],
    "embedding": lambda below: [
        Form(shape=("B", "N"), below=below),
        Form(shape=("B", "T"), below=below),
    ],
}


def all_modalities(model: nn.Module, trial: Trial, seed: int) -> Trial | None:
    """A call with all pictures, sounds and features at once, for a model that refuses ids alone.

    Where some of them must be given and others need not be, without these others first.
    """
    every = [slot for slot in trial.recipe.slots if slot.kind in MODALITIES]
    needed = [slot for slot in every if slot.required]
    bare: Trial | None = None  # what gives no logits: how alike texts and pictures are
    for slots in (needed, every) if needed and needed != every else (every,):
        for found in _with_all(model, trial, slots, seed):
            if found.works:
                return found
            bare = bare or (found if found.runs else None)
    return None if trial.runs else bare


def _with_all(model: nn.Module, trial: Trial, slots: list[Slot], seed: int) -> Iterator[Trial]:
    """The calls with each of `slots` given in one form or another."""
    for batch, length in SHAPES[: 2 if slots else 0]:
        start = replace(trial, batch=batch, length=length)
        for slot in slots:
            start = _given(start, slot, _GUESSES[0])
        for base in (start, *placed(model, start)):
            calls = _combined(model, base, slots, seed)
            yield from itertools.islice(calls, _MOST_COMBINATIONS)


def _combined(model: nn.Module, trial: Trial, slots: list[Slot], seed: int) -> Iterator[Trial]:
    """The calls with each form of one slot, then of the others.

    The slot that meets its weight comes first: until it fits, the others may not be reached.
    """
    if not slots:
        yield attempt(model, trial.recipe, trial.batch, trial.length, seed)
        return
    met = ((slot, _met(model, trial, slot, seed)) for slot in slots)
    first, forms = next((each for each in met if each[1]), (slots[0], []))
    for form in forms or _guessed(first):
        rest = [slot for slot in slots if slot is not first]
        yield from _combined(model, _given(trial, first, form), rest, seed)
