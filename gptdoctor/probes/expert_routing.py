"""Probe expert-routing: which rows the experts computed, and which of them reached the output."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gptdoctor.core.measurements.expert_routing import ExpertList, ExpertRouting, Overwrite
from gptdoctor.probes.instruments.expert_groups import like_modules
from gptdoctor.probes.instruments.expert_watch import ExpertWatch, LikeModules, MemberCall
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.specimen import Specimen

# One batch of 21 tokens sends some to two experts; a router that starts at zero sends all to the
# same, and moved weights undo that.
BATCHES = 3
JITTER = 0.05


def are_experts(calls: list[MemberCall]) -> bool:
    """Whether the members that were called work side by side, rather than one on another's output.

    Layers are called in a row: all but the first get what derives from another layer's output.
    """
    return len({call.member for call in calls if call.own_input}) > 1


def random_objective(logits: Tensor) -> Tensor:
    """The sum of logits times fixed random numbers: no position and no token is left out."""
    generator = torch.Generator().manual_seed(0)
    return (logits * torch.randn(logits.shape, generator=generator)).sum()


@dataclass(frozen=True, kw_only=True)
class _Watched:
    """One forward and backward pass."""

    lists: tuple[ExpertList, ...]

    @property
    def rows_overwritten(self) -> int:
        return sum(each.rows for found in self.lists for each in found.overwrites)


def _watched(specimen: Specimen, index: int) -> _Watched:
    """The pass number `index`; from the second on with moved weights."""
    construction = specimen.construction
    model = specimen.copy()
    if index:
        jitter(model, JITTER, specimen.seed + index)
    inputs = specimen.make_inputs(construction.batch, construction.length, specimen.seed + index)
    watch = ExpertWatch(lists=tuple(like_modules(model)), root=specimen.root)
    specimen.reseed()
    with warnings.catch_warnings(), watch:
        warnings.simplefilter("ignore")  # torch would name the watch's frame for the user's
        outputs = specimen.call(model, inputs)
    logits = outputs.features if outputs.logits is None else outputs.logits
    if logits is not None and logits.requires_grad:
        random_objective(logits).backward()  # type: ignore[no-untyped-call]
    return _Watched(lists=tuple(_expert_lists(watch)))


def _expert_lists(watch: ExpertWatch) -> Iterator[ExpertList]:
    """What was seen of each list of experts from which something reaches the output."""
    for modules in watch.lists:
        calls = [call for call in watch.calls if call.modules is modules]
        if not are_experts(calls):
            continue
        found = _expert_list(modules, calls, watch)
        if found.rows_lost < found.rows_run:  # else they serve another output, or none
            yield found


def _expert_list(modules: LikeModules, calls: list[MemberCall], watch: ExpertWatch) -> ExpertList:
    place = calls[0].place
    return ExpertList(
        name=modules.name,
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        experts=len(modules.members),
        experts_run=len({call.member for call in calls}),
        rows_run=sum(call.rows for call in calls),
        rows_lost=sum(int(call.lost().sum()) for call in calls),
        overwrites=tuple(
            Overwrite(
                path=where.path,
                symbol=where.symbol,
                line=where.line or 0,
                operation=operation,
                rows=rows,
            )
            for (name, where, operation), rows in watch.overwrites.items()
            if name == modules.name
        ),
    )


def measure(specimen: Specimen) -> ExpertRouting:
    """The lists of experts in the first pass that shows an overwrite, else in the first of all."""
    require_forward(specimen)
    if not any(True for _ in like_modules(specimen.model)):
        return ExpertRouting(lists=())
    first = _watched(specimen, 0)
    if not first.lists:
        return ExpertRouting(lists=())
    passes = [first]
    while not passes[-1].rows_overwritten and len(passes) < BATCHES:
        passes.append(_watched(specimen, len(passes)))
    best = passes[-1] if passes[-1].rows_overwritten else first
    return ExpertRouting(lists=best.lists)


PROBE = Probe(name="expert-routing", order=60, measure=measure)
