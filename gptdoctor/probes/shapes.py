"""Probe shapes: forward passes at batches and lengths that differ, agree, or are one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.measurements.shapes import ShapeCase, Shapes, TransposeWarning
from gptdoctor.probes.instruments.forwards import forward_of
from gptdoctor.probes.instruments.requirements import require_any_size, require_known_call
from gptdoctor.probes.instruments.stack import calling_place
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.objective import EXCHANGED
from gptdoctor.specimen.outputs import LAST_ONLY, tensors_in
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Outputs, Specimen

# B and T: different primes twice, so that no constant fits both; equal; one.
CASES = ((3, 7), (2, 11), (5, 5), (3, 1), (1, 7))
EQUAL = 5  # B = T of the influence measurement
# Small initial weights hide a leak: a gate that starts out even mixes rows without a trace.
JITTER = 0.05
_TRANSPOSE = torch.Tensor.T.__get__  # type: ignore[attr-defined]
_FAILURES = (Exception, SystemExit)


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


class _Transposes(TorchFunctionMode):
    """Notes each `.T` of a tensor that is not a matrix, by the line of the user's that wrote it."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.found: dict[tuple[str, str, int], int] = {}
        self._root = root

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func == _TRANSPOSE and args[0].dim() != 2:
            place = calling_place(sys._getframe(1), self._root)
            if place is not None:
                self.found[place.path, place.symbol, place.line or 0] = args[0].dim()
        return func(*args, **(kwargs or {}))


def _case(specimen: Specimen, batch: int, length: int) -> ShapeCase:
    """One forward pass, with gradients recorded as in training."""
    crash, shape, outcome = None, None, "crash"
    try:
        specimen.reseed()
        inputs = specimen.make_inputs(batch, length, specimen.seed)
        outputs = specimen.call(specimen.copy(), inputs)
    except _FAILURES as error:
        crash = crash_of(error, specimen.root, "forward")
    else:
        shape = _logits_shape(outputs, specimen.construction.vocabulary)
        right = _is_right(specimen, outputs, batch, length)
        outcome = "ok" if right else "wrong-shape"
    return ShapeCase(batch=batch, length=length, outcome=outcome, logits_shape=shape, crash=crash)


def _counterfactuals(specimen: Specimen, cases: tuple[ShapeCase, ...]) -> Iterator[ShapeCase]:
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
        yield _case(specimen, *known)
    batch, length = works[0] if works else known
    other = next(each for each, _ in CASES if each != batch)
    if length > 1 and (other, length) not in CASES:
        yield _case(specimen, other, length)


def _is_right(specimen: Specimen, outputs: Outputs, batch: int, length: int) -> bool:
    """Whether the outputs have the form that the known call gives, at this batch and length."""
    if outputs.logits is None:
        bare = specimen.objective == EXCHANGED and outputs.features is not None
        return bare or outputs.loss is not None
    construction = specimen.construction
    last_only = LAST_ONLY in construction.returns or construction.length == 1
    positions = 1 if last_only else length
    return outputs.logits.shape[:2] == (batch, positions)


def _logits_shape(outputs: Outputs, vocabulary: int) -> tuple[int, ...] | None:
    """The shape of the logits; where there are none, of what is as wide as logits are."""
    if outputs.logits is not None:
        return tuple(outputs.logits.shape)
    wide = (tensor for _, tensor in tensors_in(outputs.raw) if tensor.dim())
    return next((tuple(each.shape) for each in wide if each.shape[-1] == vocabulary), None)


def _influence(specimen: Specimen) -> float | None:
    """The largest influence of other rows at B = T, with weights that hide nothing."""
    model = jitter(specimen.copy().eval(), JITTER, specimen.seed)
    inputs = specimen.make_inputs(EQUAL, EQUAL, specimen.seed)
    others = specimen.make_inputs(EQUAL, EQUAL, specimen.seed + 1)
    try:
        forward = forward_of(specimen, model)
        return row_influence(forward, inputs, others, specimen.batch_dimensions)
    except _FAILURES:
        return None


def measure(specimen: Specimen) -> Shapes:
    """All cases, the transposes on the way, and the influence of rows on each other."""
    require_known_call(specimen)
    require_any_size(specimen)
    transposes = _Transposes(specimen.root)
    with warnings.catch_warnings(), transposes:
        warnings.simplefilter("ignore")  # torch would print the same, once, for our own frame
        cases = tuple(_case(specimen, batch, length) for batch, length in CASES)
        cases += tuple(_counterfactuals(specimen, cases))
    equal = next(case for case in cases if case.batch == case.length == EQUAL)
    return Shapes(
        cases=cases,
        transpose_warnings=tuple(
            TransposeWarning(path=path, symbol=symbol, line=line, dimensions=dimensions)
            for (path, symbol, line), dimensions in transposes.found.items()
        ),
        row_influence=_influence(specimen) if equal.outcome == "ok" else None,
    )


PROBE = Probe(name="shapes", order=10, measure=measure, fast=True)
