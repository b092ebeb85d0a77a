"""Probe batch-isolation: whether the rows of a batch move each other's outputs in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.batch_isolation import BatchIsolation
from gptdoctor.core.measurements.information import SEEDS, FlowPlace
from gptdoctor.probes.instruments.blame import CHOOSING, chooses_tokens, flow_place, record
from gptdoctor.probes.instruments.leaks import Comparison, Sizes, rows_of
from gptdoctor.probes.instruments.lengths import lengths_for
from gptdoctor.probes.instruments.requirements import require_any_size, require_forward
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.texts import other_text
from gptdoctor.probes.instruments.ways import without_capacity
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

BATCH = 3


def row_changes(first: Tensor, second: Tensor) -> Tensor:
    """The largest change [B] of each row of outputs [B, P, F], relative to the largest of all."""
    scale = first.abs().max().clamp_min(torch.finfo(first.dtype).tiny)
    return (second - first).abs().flatten(1).amax(dim=1) / scale


def measure_rows(
    forward: Callable[[Mapping[str, Any]], Tensor],
    inputs: Mapping[str, Any],
    others_changed: Mapping[str, Any],
    first_changed: Mapping[str, Any],
) -> tuple[float, float]:
    """How far row 0 moves when all other rows change, and how far they move when it changes."""
    outputs = forward(inputs)
    from_others = row_changes(outputs, forward(others_changed))[0]
    to_others = row_changes(outputs, forward(first_changed))[1:].max()
    return float(from_others), float(to_others)


def measure(specimen: Specimen) -> BatchIsolation:
    """Both directions, and against a batch of one; again with other seeds where rows mix."""
    require_forward(specimen)
    require_any_size(specimen)
    steady = Steady(specimen, specimen.seed)
    steady.settle()
    lengths = lengths_for(steady)
    found = _at(steady, lengths[0])
    if max(found[:2]) > steady.least or (found[2] or 0.0) > LEAST_ALONE:
        return _confirmed(steady, lengths, found)
    return _measured(steady, lengths[0], found)


# Matrices of another height are multiplied in another order: up to 1e-6 differs by that alone.
LEAST_ALONE = 1e-3


def _measured(
    steady: Steady, length: int, found: tuple[float, float, float | None]
) -> BatchIsolation:
    return BatchIsolation(
        batch=BATCH,
        length=length,
        least_influence=steady.least,
        least_against_one=LEAST_ALONE,
        from_others=found[0],
        to_others=found[1],
        against_one=found[2],
        seeds_leaking=0,
        lengths_leaking=0,
        lengths_compared=0,
        place=None,
    )


def _pairs(
    steady: Steady, length: int, batch: int = BATCH
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Inputs; the same with all rows but the first changed; the same with the first changed."""
    specimen, text = steady.specimen, steady.text
    inputs = specimen.make_inputs(batch, length, steady.seed)
    others = specimen.make_inputs(batch, length, steady.seed + 1)
    others[text.name] = text.as_given(other_text(specimen, text, batch, length, steady.seed))
    kept, changed = dict(inputs), dict(inputs)
    for name, dimension in specimen.batch_dimensions.items():
        if isinstance(inputs[name], Tensor):
            kept[name], changed[name] = others[name].clone(), inputs[name].clone()
            kept[name].select(dimension, 0).copy_(inputs[name].select(dimension, 0))
            changed[name].select(dimension, 0).copy_(others[name].select(dimension, 0))
    return inputs, kept, changed


def _at(steady: Steady, length: int) -> tuple[float, float, float | None]:
    inputs, others, first = _pairs(steady, length)
    outputs = steady.outputs(inputs)
    if outputs.shape[1:] == (1, BATCH):  # or is that its number of classes?
        pair = _pairs(steady, length, BATCH - 1)[0]
        if steady.outputs(pair).shape[1:] == (1, BATCH - 1):
            raise Abstention("it compares the rows of its batch with each other")
    moved = measure_rows(steady.outputs, inputs, others, first)
    return (*moved, None if steady.random else _against_one(steady, length, inputs, outputs))


def _against_one(
    steady: Steady, length: int, inputs: Mapping[str, Any], outputs: Tensor
) -> float | None:
    """How far row 0 differs from the same row without others; None: one row alone does not run."""
    try:
        # Made anew: an object that holds a mask has as many rows as the batch it was made for.
        alone = steady.specimen.make_inputs(1, length, steady.seed) | _narrowed(steady, inputs, 1)
        single = steady.outputs(alone)
    except FAILURES:
        return None
    if single.shape != outputs[:1].shape:
        return None
    return float(row_changes(outputs[:1], single)[0])


def _leaks(steady: Steady, found: tuple[float, float, float | None]) -> bool:
    return max(found[:2]) > steady.least or (found[2] or 0.0) > LEAST_ALONE


def _confirmed(
    steady: Steady, lengths: tuple[int, ...], found: tuple[float, float, float | None]
) -> BatchIsolation:
    """The same with other weights, inputs and lengths, and the place."""
    specimen = steady.specimen
    wide = without_capacity(steady.model)
    if wide is not None:
        again = _at(steady.like(steady.seed, wide), lengths[0])
        if not _leaks(steady, again):  # only what an expert has no room for made rows depend
            return _measured(steady, lengths[0], again)
    seeds = 1
    for step in range(1, SEEDS):
        other = steady.like(steady.seed + 100 * step, specimen.copy())
        seeds += _leaks(steady, _at(other, lengths[0]))
    crossed = sum(_leaks(steady, _at(steady, length)) for length in lengths)
    place, chooses = _place(steady, lengths[0], found)
    if chooses:
        raise Abstention(
            "its experts choose among the tokens of the whole batch, which may be meant"
        )
    return BatchIsolation(
        batch=BATCH,
        length=lengths[0],
        least_influence=steady.least,
        least_against_one=LEAST_ALONE,
        from_others=found[0],
        to_others=found[1],
        against_one=found[2],
        seeds_leaking=seeds,
        lengths_leaking=crossed,
        lengths_compared=len(lengths),
        place=place,
    )


def _place(
    steady: Steady, length: int, found: tuple[float, float, float | None]
) -> tuple[FlowPlace | None, bool]:
    """The first operation that mixes rows, and whether tokens are chosen among those of all."""
    inputs, others, first = _pairs(steady, length)
    sizes = Sizes(BATCH, length, steady.text.batch_dimension == 1)
    mine = theirs = rows_of(sizes)
    if found[0] > steady.least:
        second = others
    elif found[1] > steady.least:
        second, mine = first, rows_of(sizes, first=False)
        theirs = mine
    else:
        second = _pairs(steady, length, BATCH - 1)[0]
        second |= _narrowed(steady, inputs, BATCH - 1)
        theirs = rows_of(Sizes(BATCH - 1, length, sizes.time_first))
    recording = record(steady, inputs)
    operation = Comparison(recording, record(steady, second), mine, theirs).offender()
    if operation is None:
        return None, chooses_tokens(recording, length, steady.specimen.construction.vocabulary)
    place = flow_place(operation.place, operation.name)
    return place, operation.name in CHOOSING


def _narrowed(steady: Steady, inputs: Mapping[str, Any], batch: int) -> dict[str, Any]:
    return {
        name: inputs[name].narrow(dimension, 0, batch).contiguous()
        for name, dimension in steady.specimen.batch_dimensions.items()
        if isinstance(inputs[name], Tensor)
    }


PROBE = Probe(name="batch-isolation", order=31, measure=measure)
