"""Which operation leaves the last position alone, and whether the others were of use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.shapes import LastOnly
from gptdoctor.probes.instruments.crash_log import FailedRun, failed_run
from gptdoctor.probes.instruments.operation_log import Operation
from gptdoctor.probes.instruments.size_sources import told_name
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.objective import OWN
from gptdoctor.specimen.outputs import gives_the_last
from gptdoctor.specimen.specimen import Specimen

SIZES = (2, 11)  # B and T: no other size of a tiny model
# Numbers of one position are added in another order when a later one changes: rounding alone.
_ROUNDING = 1e-5
_MOST_STEPS = 1000


def last_only_of(specimen: Specimen) -> LastOnly | None:
    """The operation at which a model that is to be trained drops all positions but the last.

    None where it gives logits for each, or has a loss of its own, or where the positions that are
    dropped read what comes after them: they could not be trained.
    """
    recipe = specimen.recipe
    if recipe is None or recipe.time_first or specimen.objective == OWN:
        return None
    if not gives_the_last(specimen.construction):
        return None
    try:
        inputs = specimen.make_inputs(*SIZES, specimen.seed)
        other = dict(inputs)
        other[recipe.ids] = _with_another_end(inputs[recipe.ids], recipe.ids_below)
        return _found(specimen, inputs, other)
    except FAILURES:
        return None


def _with_another_end(ids: Tensor, below: int) -> Tensor:
    changed = ids.clone()
    changed[:, -1] = changed[:, -1] % (below - 1) + 1
    return changed


def _found(
    specimen: Specimen, inputs: Mapping[str, Any], other: Mapping[str, Any]
) -> LastOnly | None:
    first, second = (_watched(specimen, each) for each in (inputs, other))
    cut = _cut(first[0], first[1])
    again = _cut(second[0], second[1])
    if cut is None or again is None or cut.place is None or cut.place != again.place:
        return None
    before, after = _whole(cut), _whole(again)
    if before is None or after is None or not _is_causal(before, after):
        return None
    return LastOnly(
        place=cut.place,
        operation=told_name(cut),
        before=tuple(before.shape),
        after=tuple(cut.made[0].shape),
        length=SIZES[1],
    )


def _watched(specimen: Specimen, inputs: Mapping[str, Any]) -> tuple[FailedRun, Tensor | None]:
    given: list[Tensor | None] = []
    model = specimen.copy().eval()

    def run() -> None:
        specimen.reseed()
        given.append(specimen.call(model, inputs).logits)

    with torch.no_grad():
        found = failed_run(run, specimen.root)
    return found, given[0] if given else None


def _cut(run: FailedRun, logits: Tensor | None) -> Operation | None:
    """The operation on the way to the logits that was given T positions and left one."""
    tensor = logits
    for _ in range(_MOST_STEPS):
        maker = None if tensor is None else run.maker(tensor)
        if maker is None:
            return None
        if _whole(maker) is not None:
            return maker
        floating = [each for each in maker.given if each.is_floating_point()]
        tensor = next((each for each in floating if run.maker(each) is not None), None)
    return None


def _whole(operation: Operation) -> Tensor | None:
    """What an operation is given that has all positions, where its result has not."""
    if SIZES[1] in operation.made[0].shape:
        return None
    fitting = (each for each in operation.given if each.shape[:2] == SIZES and each.dim() > 2)
    return next((each for each in fitting if each.is_floating_point()), None)


def _is_causal(before: Tensor, after: Tensor) -> bool:
    """Whether no position but the last heard of another last token, and the last one did."""
    if not bool(before.isfinite().all()) or not bool(after.isfinite().all()):
        return False
    moved = (before - after).abs().flatten(2).amax(-1) / before.abs().max().clamp_min(1e-12)
    return bool((moved[:, :-1] < _ROUNDING).all()) and bool((moved[:, -1] > _ROUNDING).any())
