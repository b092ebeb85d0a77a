"""Over what a router's scores are normalised: over the experts, or over something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.routing_trace import RoutedBlock

_SOFTMAX = frozenset({"softmax", "log_softmax"})
_DIVISION = frozenset({"div", "div_", "__truediv__", "__itruediv__", "true_divide"})
# fp32 sums of a few hundred numbers are right to 1e-6; sums that are 1 by chance are not so near.
_ONE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Normalised:
    """One normalisation of scores; `over` is "" where that is the experts."""

    operation: str
    over: str  # "", "the batch", "the positions", "all tokens"
    rows: int  # how many scores share one sum
    place: Place | None = None


def sums_to_one(scores: Tensor, axis: int) -> bool:
    """Whether the scores along `axis` add up to one everywhere."""
    return bool(((scores.sum(axis) - 1).abs() < _ONE).all())


def normalised(
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    made: Tensor,
    block: RoutedBlock,
    tokens: int,
) -> Normalised | None:
    """What an operation that made `made` normalised the scores of; None: it is no such operation.

    Scores are known by having one number for each token and expert, or for each that was chosen.
    """
    expert_axis = _expert_axis(made, block, tokens)
    if expert_axis is None or not made.is_floating_point():
        return None
    if name in _SOFTMAX:
        given = args[1] if len(args) > 1 else kwargs.get("dim")
        if not isinstance(given, int):
            return None
        axis: int | None = given % made.dim()
    elif name in _DIVISION:
        axis = _divided_axis(made.detach(), expert_axis)
    else:
        return None
    if axis is None:
        return None
    over = "" if axis == expert_axis else what_counts(made, axis, expert_axis)
    return Normalised(operation=name.strip("_"), over=over, rows=made.shape[axis])


def _expert_axis(made: Tensor, block: RoutedBlock, tokens: int) -> int | None:
    experts, choice = block.group.count, block.choice
    if made.dim() > 1 and made.numel() == tokens * experts:
        fitting = [axis for axis, size in enumerate(made.shape) if size == experts]
        return fitting[0] if len(fitting) == 1 else None
    same = made.dim() > 1 and made.shape == choice.indices.shape and choice.chosen > 1
    return choice.dimension if same else None


def _divided_axis(made: Tensor, expert_axis: int) -> int | None:
    """Along which axis a division made the numbers add up to one; the experts' axis first."""
    others = [axis for axis in range(made.dim()) if axis != expert_axis]
    for axis in (expert_axis, *others):
        if made.shape[axis] > 1 and sums_to_one(made, axis):
            return axis
    return None


def what_counts(made: Tensor, axis: int, expert_axis: int) -> str:
    """What an axis of scores counts that does not count experts."""
    if made.dim() == 2:
        return "all tokens"
    others = [each for each in range(made.dim()) if each != expert_axis]
    return "the batch" if axis == others[0] else "the positions"


def is_uniform(weights: Tensor) -> bool:
    """Whether all of the numbers are the same: then they weigh nothing."""
    weights = weights.float()
    return bool(torch.isfinite(weights).all()) and bool(
        (weights - weights.mean()).abs().max() < _ONE
    )
