"""Where numbers of another type come from than the model's: seldom the line that fails for it."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.crash_log import FailedRun
from gptdoctor.probes.instruments.operation_log import Operation
from gptdoctor.probes.instruments.size_sources import Source, told_name

_MOST_STEPS = 1000


def type_source(run: FailedRun, model: nn.Module) -> Source | None:
    """The operation that made what does not go with the model's weights, in a pass that failed.

    That casts, makes a tensor of nothing, or lets a weight of another type make all of that type.
    None: what failed was given numbers of one type, or of a weight as it is.
    """
    failed, usual = run.failed, _usual(model)
    given = [] if failed is None else [each for each in failed.given if each.is_floating_point()]
    strays = [each for each in given if each.dtype != usual]
    if usual is None or not strays or len(strays) == len(given):
        return None
    tensor = strays[0]
    for _ in range(_MOST_STEPS):
        maker = run.maker(tensor)
        if maker is None:
            return None
        before = [each for each in maker.given if each.dtype == tensor.dtype]
        made = [each for each in before if run.maker(each) is not None]
        if made:
            tensor = max(made, key=Tensor.numel)
        elif before and all(each.dtype != usual for each in maker.given):
            return None  # of weights of that type alone
        else:
            return _source(maker)
    return None


def _source(maker: Operation) -> Source | None:
    if maker.place is None:
        return None
    return Source(
        place=maker.place,
        kind="type",
        operation=told_name(maker),
        size=0,
        shape=tuple(maker.made[0].shape),
    )


def _usual(model: nn.Module) -> torch.dtype | None:
    """The type that most of the numbers in a model's weights have."""
    counted: Counter[torch.dtype] = Counter()
    for each in model.parameters():
        counted[each.dtype] += each.numel() if each.is_floating_point() else 0
    return max(counted, key=counted.__getitem__, default=None)
