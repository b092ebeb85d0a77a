"""The statement that lets something in: found by two recorded runs, only where harm was shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.causality import AttentionView, FutureRun
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.leaks import Comparison, Protected, Sizes, positions_before
from gptdoctor.probes.instruments.mask_origins import mask_place, missing_mask_place
from gptdoctor.probes.instruments.masks import (
    Sight,
    blinding,
    masks_of,
    plain_values,
    sight_of,
    sights,
    softening,
)
from gptdoctor.probes.instruments.operations import (
    FUSED,
    SOFTMAX,
    Operation,
    Recording,
    recorded,
)
from gptdoctor.probes.instruments.pair_weights import (
    makers,
    sight_of_weights,
    weights_of,
    wrong_weights_place,
)
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.text_alone import text_alone
from gptdoctor.probes.instruments.texts import other_text
from gptdoctor.specimen.duplicate import duplicate

BATCH = 3  # of the recorded runs
# What chooses among tokens: an expert that chooses its tokens looks at all of them by design.
CHOOSING = frozenset({"topk", "sort", "argsort", "kthvalue", "msort"})


@dataclass(frozen=True)
class Blame:
    """Where something comes in, and what lets it in, in words."""

    place: FlowPlace | None = None
    cause: str = ""
    chooses: bool = False  # the text is chosen from: experts that pick their tokens


@dataclass(frozen=True)
class View:
    """One attention of a run, as a measurement tells it."""

    told: AttentionView
    sight: Sight


def flow_place(place: Place | None, operation: str) -> FlowPlace | None:
    """A place of the user's with the name of what runs there."""
    if place is None:
        return None
    return FlowPlace(path=place.path, symbol=place.symbol, line=place.line, operation=operation)


def record(steady: Steady, inputs: dict[str, Any]) -> Recording:
    """The recording of one call on a copy."""
    model = duplicate(steady.model)
    return recorded(model, inputs, steady.specimen.root, lambda: steady.run(model, inputs))


def free_values(recording: Recording) -> frozenset[int]:
    """The numbers of the values that no input of the call moves."""
    return frozenset(recording.values) - recording.derived_from(recording.given)


@dataclass(frozen=True)
class Watched:
    """One recorded call of a steady model."""

    steady: Steady
    recording: Recording
    length: int
    views: tuple[View, ...]


def watched(steady: Steady) -> Watched:
    """The usual call, and what its attentions let its positions see, each place once."""
    inputs = steady.specimen.inputs()
    length = steady.text.rows(inputs[steady.text.name]).shape[1]
    recording = record(steady, inputs)
    found: dict[FlowPlace, View] = {}
    if length > 2:  # fewer positions make no triangle
        for sight in sights(recording, length):
            place = flow_place(_at(sight, recording, steady), sight.operation.name)
            if place is not None and place not in found:
                told = AttentionView(place=place, pattern=sight.pattern, ahead=sight.ahead)
                found[place] = View(told, sight)
    return Watched(steady, recording, length, tuple(found.values()))


def blame_for_nothing(seen: Watched) -> Blame:
    """What makes outputs that are no numbers, where it is a mask that hides everything."""
    operation = blinding(seen.recording) or _unseeing(seen)
    if operation is None:
        return Blame()
    blame = _explained(operation, seen.recording, seen.length, seen.steady)
    return replace(blame, cause=f"{blame.cause}, so that some see nothing at all")


def _unseeing(seen: Watched) -> Operation | None:
    """An attention of torch's in which some position sees nothing, though nothing came of it.

    The layers of torch take a faster way in evaluation, and not while they are watched: what is
    no number there is zero here.
    """
    values = (each for one in seen.recording.operations for each in one.results)
    if any(each.is_floating_point() and bool(each.isnan().any()) for each in values):
        return None
    sights_of_torch = (view.sight for view in seen.views if view.sight.operation.name in FUSED)
    blind = (one for one in sights_of_torch if not bool(one.visible.any(dim=-1).all()))
    return next((one.operation for one in blind), None)


def _at(sight: Sight, recording: Recording, steady: Steady) -> Place | None:
    """The statement to blame if what it sees is wrong."""
    if sight.pattern == "causal":
        return sight.operation.place
    return mask_place(sight, recording, steady.specimen.root) or sight.operation.place


def pair_of_inputs(
    steady: Steady, length: int, changed: Tensor
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs of B = 3 that differ in the text alone, where `changed` [B, T] is True."""
    specimen, text = steady.specimen, steady.text
    inputs = specimen.make_inputs(BATCH, length, steady.seed)
    rows = text.rows(inputs[text.name])
    other = other_text(specimen, text, BATCH, length, steady.seed)
    where = changed.reshape(*changed.shape, *[1] * (rows.dim() - 2))
    return inputs, {**inputs, text.name: text.as_given(torch.where(where, other, rows))}


def offender(
    steady: Steady, length: int, changed: Tensor, protected: Protected
) -> tuple[Operation | None, Recording]:
    """The first operation that moves what is protected, for texts that differ where `changed`."""
    one, two = pair_of_inputs(steady, length, changed)
    first, second = record(steady, one), record(steady, two)
    return Comparison(first, second, protected, protected).offender(), first


def blame_of(steady: Steady, run: FutureRun, seen: Watched) -> Blame:
    """Where later tokens reach earlier positions."""
    for view in seen.views:
        if view.told.pattern in ("only later", "never itself"):
            return Blame(view.told.place, _of_mask(view.sight))
    border = max(1, run.token_position or 1)
    changed = torch.zeros(BATCH, run.length, dtype=torch.bool)
    changed[:, border:] = True
    sizes = Sizes(BATCH, run.length, steady.text.batch_dimension == 1)
    protected = positions_before(border, sizes)
    for each in filter(None, (text_alone(steady), steady)):
        operation, recording = offender(each, run.length, changed, protected)
        if operation is not None:
            break
    if operation is None:
        words = steady.specimen.construction.vocabulary
        return Blame(chooses=chooses_tokens(recording, run.length, words))
    return _explained(operation, recording, run.length, steady)


def _explained(operation: Operation, recording: Recording, length: int, steady: Steady) -> Blame:
    after = operation.name in SOFTMAX | FUSED  # scores may be chosen from, weights may not
    words = steady.specimen.construction.vocabulary
    start = operation if after else None
    if operation.name in CHOOSING or chooses_tokens(recording, length, words, start):
        return Blame(flow_place(operation.place, operation.name), chooses=True)
    softmax = softening(operation, recording)
    if softmax is None:
        return _without_softmax(operation, recording, length, steady.specimen.root)
    operation = softmax
    plain = plain_values(recording)
    sight = sight_of(operation, recording, length, plain)
    if sight is None:
        return Blame(flow_place(operation.place, operation.name), _of_softmax(operation))
    place = mask_place(sight, recording, steady.specimen.root)
    if place is not None:
        return Blame(flow_place(place, operation.name), _of_mask(sight))
    masks = masks_of(operation, recording, plain)
    place = missing_mask_place(operation, recording, masks, steady.specimen.root)
    place = place or operation.place
    return Blame(flow_place(place, operation.name), "no causal mask is applied")


def _without_softmax(operation: Operation, recording: Recording, length: int, root: str) -> Blame:
    """What no softmax weighs: the mask of its weights over pairs of positions, if it has such."""
    weights = weights_of(operation, recording, length)
    if weights is None:
        return Blame(flow_place(operation.place, operation.name), f"{operation.name} reaches ahead")
    sight = sight_of_weights(operation, recording, length, weights)
    place = wrong_weights_place(sight, recording, length, weights, root)
    if place is not None:
        return Blame(flow_place(place, operation.name), _of_mask(sight))
    made = [number for one in makers(recording, length, weights) for number in one.outputs]
    place = missing_mask_place(operation, recording, made, root) or operation.place
    return Blame(flow_place(place, operation.name), "its weights are not masked")


def _of_softmax(operation: Operation) -> str:
    scores = operation.args[0] if operation.args else None
    dim = operation.kwargs.get("dim", operation.args[1] if len(operation.args) > 1 else None)
    if (
        isinstance(scores, Tensor)
        and isinstance(dim, int)
        and dim % scores.dim() != scores.dim() - 1
    ):
        return f"softmax over dimension {dim} of {scores.dim()}"
    return "no causal mask is applied"


def _of_mask(sight: Sight) -> str:
    pattern = sight.pattern
    if pattern == "ahead":
        plural = "" if sight.ahead == 1 else "s"
        return f"its mask lets each position see {sight.ahead} position{plural} ahead"
    told = {
        "everything": "its mask hides nothing",
        "only later": "its mask hides the past and shows the future",
        "never itself": "its mask hides each position from itself",
    }
    return told.get(pattern, "its mask shows later positions")


def chooses_tokens(
    recording: Recording, length: int, words: int, after: Operation | None = None
) -> bool:
    """Whether some tokens are chosen from all, or all of them sorted; `after` an operation.

    Scores before it may be chosen from; whole numbers that order all tokens are none.
    `words`: the vocabulary, from which tokens are chosen in another sense.
    """
    started = after is None
    for other in recording.operations:
        started = started or other is after
        source = other.args[0] if other.args else None
        if other.name not in CHOOSING or not isinstance(source, Tensor):
            continue
        if not started and source.is_floating_point():
            continue
        if source.dim() and _over_tokens(other, source, length, words):
            return True
    return False


def _orders(numbers: Tensor, dim: int) -> bool:
    """Whether whole numbers give each token a place of its own, and do not only undo an order."""
    steps = numbers.sort(dim=dim).values.diff(dim=dim)
    return bool(steps.ne(0).all()) and not bool(steps.eq(1).all())


def _over_tokens(operation: Operation, source: Tensor, length: int, words: int) -> bool:
    """Whether what is chosen from are the positions of the text, or those of all rows."""
    at = 2 if operation.name in ("topk", "kthvalue") else 1
    dim = operation.kwargs.get("dim", operation.args[at] if len(operation.args) > at else -1)
    if not isinstance(dim, int) or isinstance(dim, bool):
        return False
    size = source.shape[dim]
    if operation.name in ("sort", "argsort", "msort"):  # of a text that may have been padded
        # Whole numbers that come twice, as of experts, put tokens in groups; others order them.
        ordered = source.is_floating_point() or _orders(source, dim)
        return size >= length and size != words and ordered
    return size in (length, BATCH * length)
