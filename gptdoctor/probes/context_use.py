"""Probe context-use: whether outputs depend on earlier tokens, and on their order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor

from gptdoctor.core.measurements.context_use import ContextUse
from gptdoctor.core.measurements.information import SEEDS
from gptdoctor.probes.instruments.flat_positions import flat_place, positions_are_flat
from gptdoctor.probes.instruments.lengths import lengths_for
from gptdoctor.probes.instruments.lost_context import (
    lost_context,
    mixes,
    never_called,
    unused_queries,
    weighs_alike,
)
from gptdoctor.probes.instruments.lost_positions import lost_positions, zeroed_positions
from gptdoctor.probes.instruments.positions import disturb, mixing_parts, orders_itself
from gptdoctor.probes.instruments.requirements import require_any_size, require_forward
from gptdoctor.probes.instruments.steady import LEAST, Steady, relative_change
from gptdoctor.probes.instruments.text_alone import text_alone
from gptdoctor.probes.instruments.texts import with_text
from gptdoctor.probes.instruments.unused_angles import unused_angles
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

# In fp64 what does not flow moves nothing at all, or the last bit of some sum.
LEAST_DOUBLE = 1e-12
# In fp32 companions in a matrix move the last bits: up to 3.3e-7 was seen.
LEAST_SINGLE = 1e-6


def context_and_order(
    forward: Callable[[Tensor], Tensor], base: Tensor, other: Tensor
) -> tuple[float, float]:
    """How far the last output moves when all earlier tokens are exchanged, or trade places.

    `forward` gives outputs [N, P, F] for texts [N, T]; `base` and `other` [T] differ at every
    position.  Relative to the largest output.
    """
    exchanged = torch.cat([other[:-1], base[-1:]])
    turned = torch.cat([base[:-1].flip(0), base[-1:]])
    outputs = forward(torch.stack([base, exchanged, turned]))[:, -1]
    scale = outputs.abs().max().clamp_min(torch.finfo(outputs.dtype).tiny)
    moved = (outputs[1:] - outputs[:1]).abs().flatten(1).amax(dim=1) / scale
    return float(moved[0]), float(moved[1])


def hears_itself(forward: Callable[[Tensor], Tensor], base: Tensor, other: Tensor) -> bool:
    """Whether the last output moves at all when the last token is exchanged for another one."""
    exchanged = torch.cat([base[:-1], other[-1:]])
    outputs = forward(torch.stack([base, exchanged]))[:, -1]
    return not torch.equal(outputs[0], outputs[1])


def measure(specimen: Specimen) -> ContextUse:
    """One seed where all is well; three, in fp64 where it runs, and the place where it is not."""
    require_forward(specimen)
    require_any_size(specimen)
    steady = Steady(specimen, specimen.seed)
    steady.settle()
    length = lengths_for(steady)[0]
    found = _measured(steady, length)
    if not found.positions and not found.orders_itself:
        zeroed = zeroed_positions(steady) is not None
        unused = not zeroed and unused_angles(steady)
        found = replace(found, positions_are_zeroed=zeroed, positions_are_unused=unused)
    if found.context > steady.least and not _doubtful(found):
        return found
    found = _again(steady, found)
    if found.context <= found.least_influence:
        if not hears_itself(steady.of_rows, *steady.two_texts(length)):
            raise Abstention("no token moves its last output, not even the last one")
        mixing = found.mixes_by
        if not mixing and mixes(steady, length):
            mixing = ("an operation",)
        elif not mixing and never_called(steady) is not None:
            mixing = ("a part that is never called",)
        elif not mixing:
            mixing = tuple(f"{name}, which is never used" for name in unused_queries(steady)[:3])
        return replace(found, mixes_by=mixing, context_place=lost_context(steady, length))
    if not _doubtful(found):
        return found
    text = text_alone(steady) or steady
    place = flat_place(specimen, length) if found.positions_are_flat else None
    return replace(
        found,
        weighs_alike=weighs_alike(text, length),
        order_place=place or lost_positions(text),
    )


def _doubtful(found: ContextUse) -> bool:
    """Whether positions seem to tell nothing."""
    dead = found.positions_influence is not None and found.positions_influence <= found.least_order
    return (
        found.order <= found.least_order
        or dead
        or found.positions_are_flat
        or found.positions_are_zeroed
        or found.positions_are_unused
    )


def _measured(steady: Steady, length: int) -> ContextUse:
    context, order = context_and_order(steady.of_rows, *steady.two_texts(length))
    positions, influence = _positions(steady, length)
    return ContextUse(
        length=length,
        precision="float32",
        least_influence=LEAST_SINGLE,
        context=context,
        order=order,
        least_order=steady.least,
        mixes_by=mixing_parts(steady.model),
        positions=positions,
        positions_influence=influence,
        positions_are_flat=positions_are_flat(steady.model, length),
        weighs_alike=None,
        orders_itself=orders_itself(steady.model),
        seeds=1,
        context_place=None,
        order_place=None,
    )


def _positions(steady: Steady, length: int) -> tuple[tuple[str, ...], float | None]:
    """What holds positions, and how far the outputs move when it is exchanged."""
    rows = torch.stack(steady.two_texts(length))
    inputs = with_text(steady.specimen, steady.text, rows, steady.seed)
    copy = steady.like(steady.seed, steady.specimen.copy())
    names = disturb(copy.model, steady.seed, length)
    if not names:
        return (), None
    return names, relative_change(steady.outputs(inputs), copy.outputs(inputs))


def _again(steady: Steady, found: ContextUse) -> ContextUse:
    """The largest numbers of three seeds; the context in fp64 where the model runs in it."""
    specimen = steady.specimen
    for step in range(1, SEEDS):
        other = steady.like(steady.seed + 100 * step, specimen.copy())
        more = _measured(other, found.length)
        found = replace(
            found,
            context=max(found.context, more.context),
            order=max(found.order, more.order),
            positions_influence=_larger(found.positions_influence, more.positions_influence),
            seeds=step + 1,
        )
    if found.context <= LEAST:
        with suppress(*FAILURES):
            return _in_double(steady, found)
    return found


def _larger(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)


def _in_double(steady: Steady, found: ContextUse) -> ContextUse:
    """The context again with numbers of twice the length; raises where the model refuses them."""
    changes = []
    for step in range(SEEDS):
        seed = steady.seed + 100 * step
        double = steady.like(seed, steady.specimen.copy())
        double.model = double.model.double()
        changes.append(context_and_order(double.of_rows, *double.two_texts(found.length))[0])
    return replace(found, precision="float64", least_influence=LEAST_DOUBLE, context=max(changes))


PROBE = Probe(name="context-use", order=32, measure=measure)
