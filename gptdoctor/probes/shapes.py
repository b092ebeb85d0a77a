"""Probe shapes: forward passes at batches and lengths that differ, agree, or are one."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.shapes import (
    ExchangedLogits,
    MixedReshape,
    ShapeCase,
    Shapes,
    SpreadRows,
    TransposeWarning,
)
from gptdoctor.probes.instruments.crash_sources import crash_sources
from gptdoctor.probes.instruments.forwards import Forward, forward_of
from gptdoctor.probes.instruments.head_mixing import PutRight
from gptdoctor.probes.instruments.last_only import last_only_of
from gptdoctor.probes.instruments.odd_shapes import first_odd
from gptdoctor.probes.instruments.relative_shift import ShiftWatch
from gptdoctor.probes.instruments.requirements import (
    has_sure_inputs,
    require_any_size,
    require_known_call,
)
from gptdoctor.probes.instruments.shape_trace import ShapeTrace
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.objective import EXCHANGED, OWN
from gptdoctor.specimen.outputs import LAST_ONLY, tensors_in
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Outputs, Specimen

# B and T: different primes twice, so that no constant fits both; equal; one.
CASES = ((3, 7), (2, 11), (5, 5), (3, 1), (1, 7))
EQUAL = 5  # B = T of the influence measurement
# Small initial weights hide a leak: a gate that starts out even mixes rows without a trace.
JITTER = 0.05
# T of a case that no size of a tiny model is: there positions are told from heads.
APART = (2, 11)
# B and T of the pass that ends in a loss: neither 7 nor 35 is another size's.
LOSS = (7, 5)
Traces = dict[tuple[int, int], ShapeTrace]  # by B and T


def row_influence(
    forward: Callable[[Mapping[str, Any]], Tensor],
    inputs: Mapping[str, Any],
    others: Mapping[str, Any],
    batch_dimensions: Mapping[str, int],
) -> float | None:
    """How far row 0 of the logits [B, T, V] moves when only the other rows' inputs change.

    `others` holds inputs of the same shapes with other values.  Relative to the largest logit;
    None where two equal calls differ, or the numbers are not finite.
    """
    mixed = dict(inputs)
    for name, dimension in batch_dimensions.items():
        mixed[name] = others[name].clone()
        mixed[name].select(dimension, 0).copy_(inputs[name].select(dimension, 0))
    with torch.no_grad():
        first, again, changed = forward(inputs), forward(inputs), forward(mixed)
    if not torch.equal(first, again) or not changed.isfinite().all() or not first.isfinite().all():
        return None
    scale = first.abs().max().clamp_min(torch.finfo(first.dtype).tiny)
    return ((changed[0] - first[0]).abs().max() / scale).item()


def _case(specimen: Specimen, batch: int, length: int, traces: Traces) -> ShapeCase:
    """One forward pass, with gradients recorded as in training."""
    crash, shape, returned, outcome = None, None, None, "crash"
    watched = length if (batch, length) == APART else 0
    ordered = (*APART, specimen.construction.vocabulary) if watched else ()
    trace = ShapeTrace(root=specimen.root, length=watched, logits=ordered)
    traces[batch, length] = trace
    try:
        specimen.reseed()
        inputs = specimen.make_inputs(batch, length, specimen.seed)
        with trace:
            outputs = specimen.call(specimen.copy(), inputs)
    except FAILURES as error:
        crash = crash_of(error, specimen.root, "forward")
    else:
        returned = _wide_shape(outputs, specimen.construction.vocabulary)
        shape = returned if outputs.logits is None else tuple(outputs.logits.shape)
        right = _is_right(specimen, outputs, batch, length)
        outcome = "ok" if right else "wrong-shape"
    return ShapeCase(
        batch=batch,
        length=length,
        outcome=outcome,
        logits_shape=shape,
        crash=crash,
        returned=returned,
    )


def _counterfactuals(
    specimen: Specimen, cases: tuple[ShapeCase, ...], traces: Traces
) -> Iterator[ShapeCase]:
    """Where a case crashed: one that works, and another batch at its length.

    What fails there as well fails by its batch, and not by its length.
    """
    known = (specimen.construction.batch, specimen.construction.length)
    works = [(case.batch, case.length) for case in cases if case.outcome == "ok"]
    settled = {1, *(length for _, length in works)}  # a single position is too few to tell
    if min(known) < 1 or all(case.crash is None or case.length in settled for case in cases):
        return
    works = [each for each in works if min(each) > 1]
    if not works and known not in CASES:
        yield _case(specimen, *known, traces)
    batch, length = works[0] if works else known
    other = next(each for each, _ in CASES if each != batch)
    if length > 1 and (other, length) not in CASES:
        yield _case(specimen, other, length, traces)


def _multiples(
    specimen: Specimen, cases: tuple[ShapeCase, ...], traces: Traces
) -> Iterator[ShapeCase]:
    """Twice the batch of each case that crashes where another batch works.

    Rows may belong together in twos (pairs of answers, guidance with and without a text, books of
    codes): then a batch of 3 is refused, and one of 6 is not.
    """
    works = {case.length for case in cases if case.outcome == "ok"}
    tried = {(case.batch, case.length) for case in cases}
    for case in cases:
        by_batch = case.crash is not None and case.batch > 1 and case.length in works
        if by_batch and (2 * case.batch, case.length) not in tried:
            yield _case(specimen, 2 * case.batch, case.length, traces)


def _is_right(specimen: Specimen, outputs: Outputs, batch: int, length: int) -> bool:
    """Whether the outputs have the form that the known call gives, at this batch and length."""
    if outputs.logits is None:
        bare = specimen.objective == EXCHANGED and outputs.features is not None
        return bare or outputs.loss is not None
    construction = specimen.construction
    last_only = LAST_ONLY in construction.returns or construction.length == 1
    positions = 1 if last_only else length
    return outputs.logits.shape[:2] == (batch, positions)


def _wide_shape(outputs: Outputs, vocabulary: int) -> tuple[int, ...] | None:
    """The shape of the first thing returned that is as wide as logits are."""
    wide = (tensor for _, tensor in tensors_in(outputs.raw) if tensor.dim())
    return next((tuple(each.shape) for each in wide if each.shape[-1] == vocabulary), None)


def _with_odd_lines(cases: tuple[ShapeCase, ...], traces: Traces) -> Iterator[ShapeCase]:
    """The cases, each that is not like the first that works with the reshape that is to blame.

    Where B and T are equal, nobody can tell one from the other.
    """
    works = (one for one in cases if one.outcome == "ok" and one.length > 1 < one.batch)
    good = next((one for one in works if one.batch != one.length), None)
    for case in cases:
        found = None
        if good is not None and case is not good and case.crash is None:
            known, sizes = (good.batch, good.length), (case.batch, case.length)
            found = first_odd(traces[known].reshapes, traces[sizes].reshapes, known, sizes)
        yield case if found is None else replace(case, odd=found[0], odd_operation=found[1])


def _exchanged(
    specimen: Specimen, cases: tuple[ShapeCase, ...], traces: Traces
) -> ExchangedLogits | None:
    """Logits of which nothing puts the time behind the batch again, nor the labels' before it."""
    case = next(one for one in cases if (one.batch, one.length) == APART)
    found, returned = traces[APART].exchanged, case.returned
    if found is None or returned is None or traces[APART].ids_exchanged:
        return None
    if any(specimen.batch_dimensions.values()):  # it wants the time first
        return None
    flat = (found.after[0] * found.after[1], found.after[2])
    if returned not in (found.after, flat):
        return None
    return ExchangedLogits(
        place=found.place,
        operation=found.operation,
        batch=case.batch,
        length=case.length,
        shape=returned,
        vocabulary=found.after[-1],
        call=_call_of(specimen),
    )


def _call_of(specimen: Specimen) -> str:
    """The call for `ids` alone, "" where it asks for sizes as well."""
    recipe = specimen.recipe
    call = "" if recipe is None else recipe.expression(without=recipe.labels or "")
    return "" if re.search(r"\b(B|T|labels)\b", call) else call


def mixing_effect(forward: Forward, inputs: Mapping[str, Any], length: int) -> float | None:
    """How far the logits move when no reshape takes T positions apart, relative to the largest.

    None where two equal calls differ, or the numbers are not finite.
    """
    with torch.no_grad():
        with ShiftWatch() as watch:
            first = forward(inputs)
        again = forward(inputs)
        with PutRight(length, watch.shift.views):
            changed = forward(inputs)
    if not torch.equal(first, again) or not changed.isfinite().all() or not first.isfinite().all():
        return None
    scale = first.abs().max().clamp_min(torch.finfo(first.dtype).tiny)
    return ((changed - first).abs().max() / scale).item()


def _mixing_effect(specimen: Specimen) -> float | None:
    model = jitter(specimen.copy().eval(), JITTER, specimen.seed)
    try:
        forward = forward_of(specimen, model)
        return mixing_effect(forward, specimen.make_inputs(*APART, specimen.seed), APART[1])
    except FAILURES:
        return None


def _spread(specimen: Specimen) -> Iterator[SpreadRows]:
    """The rows that meet each other on the way to the model's own loss."""
    if specimen.objective != OWN:
        return
    batch, length = LOSS
    counts = {batch, batch * length, batch * (length - 1)}  # a loss that shifts has one less
    trace = ShapeTrace(root=specimen.root, counts=frozenset(counts))
    with contextlib.suppress(*FAILURES):
        inputs = specimen.make_inputs(batch, length, specimen.seed)
        specimen.reseed()
        with trace:
            specimen.loss(specimen.copy(), inputs)
    call = next((own.call for own in specimen.own_losses if own.heard), "")
    for one in trace.spread.values():
        yield SpreadRows(**vars(one), call=call)


def _influence(specimen: Specimen) -> float | None:
    """The largest influence of other rows at B = T, with weights that hide nothing."""
    model = jitter(specimen.copy().eval(), JITTER, specimen.seed)
    inputs = specimen.make_inputs(EQUAL, EQUAL, specimen.seed)
    others = specimen.make_inputs(EQUAL, EQUAL, specimen.seed + 1)
    try:
        forward = forward_of(specimen, model)
        return row_influence(forward, inputs, others, specimen.batch_dimensions)
    except FAILURES:
        return None


def measure(specimen: Specimen) -> Shapes:
    """All cases, the transposes on the way, and the influence of rows on each other."""
    require_known_call(specimen)
    require_any_size(specimen)
    traces: Traces = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would print the same, once, for our own frame
        cases = tuple(_case(specimen, batch, length, traces) for batch, length in CASES)
        cases += tuple(_counterfactuals(specimen, cases, traces))
        cases += tuple(_multiples(specimen, cases, traces))
        spread = tuple(_spread(specimen))
    if any(case.crash is not None for case in cases) and not has_sure_inputs(specimen):
        raise Abstention("nothing says that its input is token ids [B, T]")
    equal = next(case for case in cases if case.batch == case.length == EQUAL)
    transposes = {where: n for one in traces.values() for where, n in one.transposes.items()}
    apart = traces[APART]
    reshaped = (one for one in apart.mixed.values() if one.shapes not in apart.shift.views)
    mixed = tuple(MixedReshape(**vars(one)) for one in reshaped)
    return Shapes(
        cases=tuple(_with_odd_lines(cases, traces)),
        transpose_warnings=tuple(
            TransposeWarning(path=path, symbol=symbol, line=line, dimensions=dimensions)
            for (path, symbol, line), dimensions in transposes.items()
        ),
        row_influence=_influence(specimen) if equal.outcome == "ok" else None,
        mixed=mixed,
        mixing_effect=_mixing_effect(specimen) if mixed else None,
        spread=spread,
        exchanged=_exchanged(specimen, cases, traces),
        last_only=last_only_of(specimen),
        sources=tuple(crash_sources(specimen, cases, traces, CASES)),
    )


PROBE = Probe(name="shapes", order=10, measure=measure, fast=True)
