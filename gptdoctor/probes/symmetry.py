"""Probe symmetry: whether matrices whose rows start equal get rows that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.symmetry import SymmetricParameter, Symmetry
from gptdoctor.probes.instruments.definitions import made_at
from gptdoctor.probes.instruments.fill_watch import filled_in
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

# Projections, gates and adapters that start at zero have rows that differ after one step, or two
# where one stands behind another.
STEPS = 3
# Of the size of a weight that a step may change; of 1 where the weight is zero.
STEP = 0.01
# Rows that move alike do so up to rounding, a ten-thousandth of how far they move.
ROUNDING = 1e-3
# In float64 a gradient below this share of the model's largest is rounding around a mathematical
# zero.  In float32, for models that do not run otherwise, no share tells the two apart.
NO_GRADIENT = {torch.float64: 1e-12, torch.float32: 0.0}
JITTER = 0.05


def rows_of(tensor: Tensor) -> Tensor | None:
    """A weight [out, ...] as one row for each unit; None where it has no two rows or columns."""
    matrix = tensor.squeeze(0) if tensor.dim() > 2 and tensor.shape[0] == 1 else tensor
    if matrix.dim() < 2 or not matrix.is_floating_point():
        return None
    rows = matrix.flatten(1)
    return rows if rows.shape[0] > 1 and rows.shape[1] > 1 else None


def alike(tensor: Tensor, scale: float) -> bool:
    """Whether all rows of a weight are equal, to within a share ROUNDING of `scale`."""
    rows = rows_of(tensor)
    return rows is not None and bool((rows - rows[:1]).abs().max() <= ROUNDING * scale)


def descend(
    weights: Mapping[str, nn.Parameter], losses: Iterable[Callable[[], Tensor]], none: float
) -> dict[str, bool]:
    """A step down each loss, each weight by a share of its own size; which ones had a gradient.

    A gradient below a share `none` of the largest counts as none; that of a matrix of zeros does
    so only where it is zero, as it is where another factor of a product is: a small one is on its
    way through parts that start small.  Plain descent: Adam would make steps of full size of what
    is nothing but rounding.
    """
    heard = dict.fromkeys(weights, False)
    for loss_of in losses:
        for weight in weights.values():
            weight.grad = None
        loss_of().backward()  # type: ignore[no-untyped-call]
        sizes = {
            name: 0.0 if weight.grad is None else float(weight.grad.abs().max())
            for name, weight in weights.items()
            if weight.numel()
        }
        least = none * max(sizes.values(), default=0.0)
        empty = {name for name in sizes if weights[name].dim() > 1 and not weights[name].any()}
        with torch.no_grad():
            for name, size in sizes.items():
                weight = weights[name]
                if weight.grad is not None and size > (0.0 if name in empty else least):
                    heard[name] = True
                    far = STEP * (float(weight.abs().max()) or 1.0)
                    weight.sub_(weight.grad, alpha=far / size)
    return heard


def _losses(specimen: Specimen, model: nn.Module, number: int) -> Iterable[Callable[[], Tensor]]:
    """The loss of some batches, in the precision of the model."""
    construction = specimen.construction
    kind = _kind(model)
    for seed in range(specimen.seed, specimen.seed + number):
        inputs = specimen.make_inputs(construction.batch, construction.length, seed)
        for name, value in inputs.items():
            if isinstance(value, Tensor) and value.is_floating_point():
                inputs[name] = value.to(kind)
        specimen.reseed()
        yield lambda inputs=inputs: specimen.loss(model, inputs)  # type: ignore[misc]


def _kind(model: nn.Module) -> torch.dtype:
    return next((each.dtype for each in model.parameters()), torch.float32)


def _precise(specimen: Specimen) -> nn.Module:
    """A copy of the model in float64, where rounding is far from all else; else float32."""
    model = specimen.copy().double()
    try:
        next(iter(_losses(specimen, model, 1)))().backward()  # type: ignore[no-untyped-call]
    except FAILURES:
        return specimen.copy()
    return specimen.copy().double()


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: each for name, each in model.named_parameters() if each.requires_grad}


def still_alike(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, bool]:
    """The weights whose rows moved alike, or not at all, and whether they moved."""
    found = {}
    for name, old in before.items():
        change = after[name].detach() - old
        far = float(change.abs().max())
        if alike(change, far):
            found[name] = far > 0
    return found


def _needed(specimen: Specimen, model: nn.Module, names: Iterable[str]) -> list[str]:
    """Those of the weights that get a gradient where nothing is zero: the model does use them."""
    jitter(model, JITTER, specimen.seed)
    heard = descend(_trained(model), _losses(specimen, model, 1), NO_GRADIENT[_kind(model)])
    return [name for name in names if heard[name]]


def measure(specimen: Specimen) -> Symmetry:
    """Nothing is run where all matrices start with rows that differ."""
    require_forward(specimen)
    if not any(alike(each.detach(), 0.0) for each in _trained(specimen.model).values()):
        return Symmetry(alike_as_built=0, steps=0, symmetric=())
    model = _precise(specimen)
    weights = _trained(model)
    before = {
        name: each.detach().clone() for name, each in weights.items() if alike(each.detach(), 0.0)
    }
    descend(weights, _losses(specimen, model, STEPS), NO_GRADIENT[_kind(model)])
    found = still_alike(before, weights)
    needed = _needed(specimen, model, found) if found else []
    return Symmetry(
        alike_as_built=len(before),
        steps=STEPS,
        symmetric=tuple(_told(specimen, name, before[name], found[name]) for name in needed),
    )


def _told(specimen: Specimen, name: str, weight: Tensor, moved: bool) -> SymmetricParameter:
    model, root = specimen.model, specimen.root
    place = filled_in(specimen, name) or made_at(model, name, root)
    return SymmetricParameter(
        name=name,
        shape=tuple(weight.shape),
        value=float(weight.flatten()[0]),
        moved=moved,
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        line=place.line if place is not None else None,
    )


PROBE = Probe(name="symmetry", order=64, measure=measure)
