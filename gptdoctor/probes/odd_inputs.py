"""Probe odd-inputs: calls that no model can mean to take, which each should refuse in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.odd_inputs import (
    HiddenTokens,
    MissingInput,
    OddInputs,
    OverlongInput,
    StrangeId,
)
from gptdoctor.probes.instruments.declared import declared_length
from gptdoctor.probes.instruments.forwards import forward_of
from gptdoctor.probes.instruments.hidden_tokens import find_mask, find_padding, hidden_calls
from gptdoctor.probes.instruments.labelled_runs import Text, text_in
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.taming_watch import TamingWatch
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.forms import Promised
from gptdoctor.specimen.inputs import Recipe
from gptdoctor.specimen.outputs import LAST_ONLY
from gptdoctor.specimen.places import crash_of, place_in
from gptdoctor.specimen.roles import entry_of, signature_of, slots_of
from gptdoctor.specimen.specimen import Specimen

# Things that are computed from: a call without any of them is another rule's.
_SOURCES = frozenset({"ids", "image", "audio", "features"})
_BEYOND = 2  # positions more than the model says it takes
_SAME = 1e-5  # fp32 noise is 3.3e-7 of the largest logit


def _missing(specimen: Specimen, recipe: Recipe) -> Iterator[MissingInput]:
    """The known call without each of its inputs that has None for a default."""
    given = specimen.inputs()
    by_name = all(not slot.spread for slot in recipe.slots if slot.name in given)
    if recipe.holder is not None or not by_name:
        return  # nobody says which of what it holds may be left out
    given = {name: value for name, value in given.items() if not isinstance(value, Promised)}
    entry = signature_of(specimen.model, recipe.entry)
    required = {slot.name for slot in slots_of(entry) if slot.required}
    if recipe.labels is not None:
        given[recipe.labels] = given[recipe.ids]
    sources = [slot for slot in recipe.slots if slot.name in given and slot.kind in _SOURCES]
    for slot in recipe.slots:
        alone = slot in sources and len(sources) < 2
        if slot.name in required or slot.name not in given or slot.kind == "flag" or alone:
            continue
        rest = {name: value for name, value in given.items() if name != slot.name}
        crash = _crash(specimen, recipe, rest)
        yield MissingInput(name=slot.name, crash=crash, call=recipe.expression(slot.name))


def _crash(specimen: Specimen, recipe: Recipe, inputs: Mapping[str, Any]) -> Crash | None:
    """What a call raises; None: nothing."""
    try:
        specimen.reseed()
        with torch.no_grad():
            entry_of(specimen.copy().eval(), recipe.entry)(**inputs)
    except FAILURES as error:
        return crash_of(error, specimen.root, "forward")
    return None


def _strange(specimen: Specimen, recipe: Recipe, text: Text) -> Iterator[StrangeId]:
    """The known call with the first id behind the vocabulary, and with one before it."""
    # A table with fewer rows than there are tokens is meant to be shared by several of them.
    if recipe.ids_sure and recipe.ids_below >= specimen.construction.vocabulary:
        for token in (recipe.ids_below, -1):
            yield _with_token(specimen, text, token, recipe.ids_below)


def _with_token(specimen: Specimen, text: Text, token: int, vocabulary: int) -> StrangeId:
    model = specimen.copy().eval()
    inputs = specimen.inputs()
    at = (0, specimen.construction.length // 2)
    odd = at[::-1] if text.turned else at
    ids = inputs[text.parameter] = inputs[text.parameter].clone()
    ids[odd] = token
    watch = TamingWatch(specimen.root, ids, odd)
    crash, read_as = None, None
    forward = forward_of(specimen, model)
    try:
        with torch.no_grad(), watch:
            logits = forward(inputs)
        if watch.tamed is not None and logits.isfinite().all():
            read_as = watch.tamed[1]
            ids[odd] = read_as
            with torch.no_grad():
                usual = forward_of(specimen, specimen.copy().eval())(inputs)
            differs = (usual - logits).abs() > _SAME * usual.abs().max()
            read_as = None if bool(differs.any()) else read_as
    except FAILURES as error:
        crash = crash_of(error, specimen.root, "forward")
    tamed = watch.tamed if read_as is not None else None
    return StrangeId(
        token=token,
        vocabulary=vocabulary,
        crash=crash,
        read_as=read_as,
        operation="" if tamed is None else tamed[0],
        place=None if tamed is None else tamed[2],
    )


def _overlong(specimen: Specimen, text: Text) -> OverlongInput | None:
    """A call with a few positions more than the model says it takes."""
    declared = declared_length(specimen.model)
    only_last = LAST_ONLY in specimen.construction.returns or specimen.construction.length == 1
    if declared is None or specimen.only_at or only_last:
        return None
    name, longest = declared
    length = longest + _BEYOND
    inputs = specimen.make_inputs(specimen.construction.batch, length, specimen.seed)
    watch = TamingWatch(specimen.root, inputs[text.parameter])
    crash, positions, at = None, None, None
    try:
        with torch.no_grad(), watch:
            specimen.reseed()
            logits = specimen.call(specimen.copy().eval(), inputs).logits
        positions = None if logits is None else logits.shape[1]
    except FAILURES as error:
        crash = crash_of(error, specimen.root, "forward")
        at = place_in(error, signature_of(specimen.model, specimen.target.entry), specimen.root)
    shorter = positions is not None and positions < length
    cut = ("a slice", watch.cut) if watch.cut is not None and shorter else ("", None)
    operation, place = watch.fitted or cut
    return OverlongInput(
        longest=longest,
        declared=name,
        length=length,
        positions=positions,
        crash=crash,
        operation=operation,
        place=place,
        only_beyond=crash is not None and _only_beyond(specimen, longest),
        entry_place=at,
    )


def _only_beyond(specimen: Specimen, longest: int) -> bool:
    """Whether the longest text runs and one of twice the length does not.

    What fails by two tokens more may want a multiple of some number, which twice the length is.
    """
    runs = []
    for length in (longest, 2 * longest):
        inputs = specimen.make_inputs(specimen.construction.batch, length, specimen.seed)
        try:
            with torch.no_grad():
                specimen.reseed()
                specimen.call(specimen.copy().eval(), inputs)
        except FAILURES:
            runs.append(False)
        else:
            runs.append(True)
    return runs == [True, False]


def _empty(specimen: Specimen) -> Crash | None:
    """What the known call raises for a text of no tokens; None: nothing, or there is no such."""
    if specimen.only_at:
        return None
    try:
        inputs = specimen.make_inputs(specimen.construction.batch, 0, specimen.seed)
    except FAILURES:
        return None
    try:
        with torch.no_grad():
            specimen.reseed()
            specimen.call(specimen.copy().eval(), inputs)
    except FAILURES as error:
        return crash_of(error, specimen.root, "forward")
    return None


def _masked(specimen: Specimen) -> tuple[HiddenTokens, ...]:
    """Calls in which a mask that is given, or made of the text, hides what a query could see."""
    if specimen.construction.batch < 2 or specimen.construction.length < 4:
        return ()
    try:
        mask = find_mask(specimen) or find_padding(specimen)
        return tuple(hidden_calls(specimen, mask)) if mask is not None else ()
    except FAILURES:  # it refuses such a mask
        return ()


def measure(specimen: Specimen) -> OddInputs:
    """All odd calls that this model's own call allows."""
    require_forward(specimen)
    recipe, text = specimen.recipe, text_in(specimen)
    if recipe is None:
        raise Abstention("the call was given, and what else it may be called with is not known")
    return OddInputs(
        missing=tuple(_missing(specimen, recipe)),
        strange=() if text is None else tuple(_strange(specimen, recipe, text)),
        overlong=None if text is None else _overlong(specimen, text),
        empty=None if text is None else _empty(specimen),
        masked=_masked(specimen),
    )


PROBE = Probe(name="odd-inputs", order=41, measure=measure)
