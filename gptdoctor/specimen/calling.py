"""Finding the call that runs a model: which inputs, in which shapes, at which batch and length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from math import inf
from time import monotonic
from traceback import walk_tb
from typing import Any

import torch
from torch import nn

from gptdoctor.specimen.activations import with_activations
from gptdoctor.specimen.batches import Holder, holder_of
from gptdoctor.specimen.call_order import in_order, what_moves
from gptdoctor.specimen.choices import required_forms
from gptdoctor.specimen.fixed_length import with_fixed_length
from gptdoctor.specimen.forms import Form
from gptdoctor.specimen.given_shares import lacks_labels, with_shares
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.meeting import Meeting
from gptdoctor.specimen.modalities import all_modalities, with_modalities
from gptdoctor.specimen.on_device import CPU, device_of
from gptdoctor.specimen.roles import (
    Slot,
    asks_for_loss,
    continued,
    kind_of,
    names_ids,
    signature_of,
    slots_of,
    taken_for_ids,
)
from gptdoctor.specimen.trial import (
    SHAPES,
    NoCallError,
    Trial,
    attempt,
    run_quietly,
    within_logits,
)


def find_call(
    model: nn.Module, entry: str, vocabulary: int, seed: int, seconds: float = inf
) -> Trial:
    """The best call found: one that works, else the first that was tried.

    After so many `seconds` no further shapes are tried: the first say why it fails.
    """
    deadline = monotonic() + seconds
    slots, holder = slots_of(signature_of(model, entry)), None
    if continued(slots) is None:
        holder, slots = holder_of(model, entry) or (None, slots)
    whole = slots if continued(slots) else taken_for_ids(slots)
    ids = continued(whole)
    if ids is None:
        raise NoCallError(f"no parameter of {entry} takes token ids")
    recipes = partial(
        _recipes, model, entry, ids=ids, holder=holder, vocabulary=vocabulary, seed=seed
    )
    trial = _best(model, recipes, whole, seed, deadline)
    if whole is not slots and not trial.runs:
        raise NoCallError(f"no parameter of {entry} is known to take token ids")
    return within_logits(trial)


def _best(
    model: nn.Module,
    recipes: Callable[[tuple[Slot, ...]], list[Recipe]],
    slots: tuple[Slot, ...],
    seed: int,
    deadline: float,
) -> Trial:
    """The best call that `recipes` give for the slots, and for these with more of them given."""
    first = recipes(slots)
    trial = _over_shapes(model, first, seed, deadline)
    if trial.works:
        return with_modalities(model, trial, seed)
    richer = all_modalities(model, trial, seed) or _flat(model, trial, seed)
    if richer is None and not trial.runs:
        richer = with_fixed_length(model, trial, seed) or with_shares(model, first, seed)
    if richer is None and not trial.runs:
        others = chain([_asking_for_loss(first)], map(recipes, _with_a_mask(slots, trial.error)))
        tried = (_over_shapes(model, one, seed, deadline) for one in others if one)
        richer = with_activations(model, trial, seed)
        richer = richer or next((one for one in tried if one.works), None)
    return richer or trial


def _recipes(
    model: nn.Module,
    entry: str,
    slots: tuple[Slot, ...],
    *,
    ids: Slot,
    holder: Holder | None,
    vocabulary: int,
    seed: int,
) -> list[Recipe]:
    """The ways in which the entry may be called, the likeliest first."""
    device = device_of(model)
    found = []
    for forms in required_forms(model, slots, ids, vocabulary):
        recipe = Recipe(
            entry=entry,
            slots=slots,
            forms=forms,
            ids=ids.name,
            ids_below=vocabulary,
            vocabularies=frozenset({vocabulary}),
            holder=holder,
            device="" if device == CPU else str(device),
        )
        found.append(_with_vocabulary(model, recipe, seed))
    return found


def _with_a_mask(
    slots: tuple[Slot, ...], error: BaseException | None
) -> Iterator[tuple[Slot, ...]]:
    """The slots with a mask that may be left out, and was missed, taken for one that must not."""
    scope = _where_it_failed(error)
    for slot in slots:
        missed = slot.name in scope and scope[slot.name] is None
        if slot.kind == "mask" and not slot.required and missed:
            yield tuple(replace(one, required=one is slot or one.required) for one in slots)


def _where_it_failed(error: BaseException | None) -> Mapping[str, Any]:
    """The names in the method of the innermost module that failed."""
    frames = () if error is None else walk_tb(error.__traceback__)
    scopes = [frame.f_locals for frame, _ in frames]
    return next((one for one in reversed(scopes) if isinstance(one.get("self"), nn.Module)), {})


def _over_shapes(model: nn.Module, recipes: list[Recipe], seed: int, deadline: float) -> Trial:
    """The first that gives all logits, else the last ones, else the first of all.

    Every recipe is tried at the first shape before any is at the next: where B equals T, an input
    of the wrong form may fit by chance.
    """
    trials: list[Trial] = []
    for batch, length in SHAPES:
        if trials and monotonic() > deadline:
            break
        if length == 1 and any(trial.works for trial in trials):
            break  # the last of seven positions tells more than one position
        here = []
        for recipe in recipes:
            trial = attempt(model, recipe, batch, length, seed)
            if not trial.full:
                trial = _with_labels(model, trial, seed)
            if trial.full and _is_masked_right(model, trial, seed):
                return in_order(model, trial, seed)
            here.append(trial)
        full = next((trial for trial in here if trial.full), None)
        if full is not None:
            return in_order(model, full, seed)
        trials += here
    working = next((trial for trial in trials if trial.works), None)
    working = working or next((trial for trial in trials if trial.runs), None)
    return working or next((one for one in trials if not lacks_labels(one.recipe)), trials[0])


def _flat(model: nn.Module, trial: Trial, seed: int) -> Trial | None:
    """A call that works with ids in one dimension: one token for each row, or one row.

    What else must be given is then a number for each row as well, such as a relation.
    """
    recipe = trial.recipe
    needed = [slot.name for slot in recipe.slots if slot.kind == "other" and slot.required]
    beside = {name: Form(shape=("B",), below=2) for name in needed}
    for shape, batch, length in ((("B",), 3, 1), (("T",), 1, 7)):
        form = Form(shape=shape, below=recipe.ids_below)
        forms = {**recipe.forms, **(beside if shape == ("B",) else {}), recipe.ids: form}
        flat = attempt(model, replace(recipe, forms=forms), batch, length, seed)
        if flat.works or (beside and flat.runs and not trial.runs):
            return flat
    return None


def _asking_for_loss(recipes: list[Recipe]) -> list[Recipe]:
    """The recipes with the switch on that makes the entry return its loss, where there is one."""
    return [
        replace(recipe, forms={**recipe.forms, slot.name: Form(shape=None, constant=True)})
        for recipe in recipes
        for slot in recipe.slots
        if asks_for_loss(slot)
    ]


def _with_labels(model: nn.Module, trial: Trial, seed: int) -> Trial:
    """The same call with labels, for a model that else gives less than it could, or refuses.

    At another than the usual shape labels [B, T] fit a classifier's scores [B, C] by chance.
    """
    by_chance = trial.runs and (trial.batch, trial.length) != SHAPES[0]
    refused = trial.error is None or isinstance(trial.error, AssertionError | ValueError)
    labels = next((slot.name for slot in trial.recipe.slots if slot.kind == "labels"), None)
    if labels is None or by_chance or not refused:
        return trial
    recipe = replace(trial.recipe, labels=labels)
    again = attempt(model, recipe, trial.batch, trial.length, seed)
    return again if again.full else trial


def _is_masked_right(model: nn.Module, trial: Trial, seed: int) -> bool:
    """Whether a mask that must be given, in this form, hides the last token from those before.

    The opposite of a mask, or one that is added instead of being chosen by, mostly runs as well.
    """
    recipe = trial.recipe
    given = (slot for slot in recipe.slots if slot.kind == "mask" and slot.required)
    if all(recipe.forms[slot.name].shape is None for slot in given) or trial.length < 2:
        return True
    moved = what_moves(model, trial, (slice(None), -1), seed)
    return moved is None or not bool(moved[:, :-1].any())


def _with_vocabulary(model: nn.Module, recipe: Recipe, seed: int) -> Recipe:
    """The recipe with as many ids as the embeddings that they meet know."""
    known = {
        slot.name: width
        for slot in recipe.slots
        if _may_be_looked_up(slot, recipe) and not slot.spread
        for width in [_vocabulary(model, recipe, slot.name, seed)]
        if width is not None
    }
    forms = {
        name: replace(form, below=known[name]) if name in known else form
        for name, form in recipe.forms.items()
    }
    below = known.get(recipe.ids, recipe.ids_below)
    heads = [
        module.out_features
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _names_a_head(name)
    ]
    tables = (module for module in model.modules() if isinstance(module, nn.Embedding))
    # Of a name that says nothing a table as large as the vocabulary may be one of something else.
    named = kind_of(recipe.ids) == "ids"
    fits = named and any(table.num_embeddings == below for table in tables)
    return replace(
        recipe,
        forms=forms,
        ids_below=below,
        ids_sure=recipe.ids in known or fits or names_ids(recipe.ids),
        vocabularies=frozenset({below, recipe.ids_below, *(w for w in heads if w >= below)}),
    )


def _may_be_looked_up(slot: Slot, recipe: Recipe) -> bool:
    """Whether an input may be rows of an embedding: ids, and whatever else is whole numbers."""
    form = recipe.forms.get(slot.name)
    numbers = form is not None and form.shape == ("B", "T") and form.below is not None
    return form is not None and (slot.kind == "ids" or (slot.kind == "other" and numbers))


def _vocabulary(model: nn.Module, recipe: Recipe, name: str, seed: int) -> int | None:
    """How many ids the embedding knows that the input `name` meets; None: it meets none."""
    batch, length = SHAPES[0]
    generator = torch.Generator().manual_seed(seed)
    inputs = recipe.inputs(batch, length, seed)
    # Zeros and ones: every embedding knows them, and positions do not look so.
    for slot in recipe.slots:
        if slot.kind == "ids" and isinstance(inputs.get(slot.name), torch.Tensor):
            size = inputs[slot.name].shape
            inputs[slot.name] = torch.randint(0, 2, size, generator=generator)
    meeting = Meeting(inputs[name])
    run_quietly(model, recipe, inputs, meeting)
    met = meeting.operation == "embedding" and meeting.width > 1
    return meeting.width if met else None


def _names_a_head(name: str) -> bool:
    last = name.rsplit(".", maxsplit=1)[-1].lower()
    return any(word in last for word in ("head", "logit", "vocab", "unembed", "output", "lm"))
