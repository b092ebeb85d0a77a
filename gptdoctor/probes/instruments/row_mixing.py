"""Whether an expert looks at its rows together, as a recurrent layer or a convolution does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.block_replay import Replay, copied, moved_rows
from gptdoctor.probes.instruments.expert_groups import ExpertGroup


def mixes_rows(replay: Replay, group: ExpertGroup) -> bool:
    """Whether an expert's result for one row hangs on another row that it is given.

    Then it needs all rows, whoever chose it. The first expert that the block calls is called again
    with one row changed. Stacked weights are products row by row. Raises NoReplay.
    """
    if group.modules is None:
        return False
    calls: list[tuple[nn.Module, Any, Any]] = []

    def note(member: nn.Module, args: Any, kwargs: Any) -> None:
        if not calls:
            calls.append((member, copied(args), copied(kwargs)))

    hooks = [one.register_forward_pre_hook(note, with_kwargs=True) for one in group.modules.members]
    try:
        with torch.no_grad():
            replay()
            return any(_moves_others(*call) for call in calls)
    finally:
        for hook in hooks:
            hook.remove()


def _moves_others(member: nn.Module, args: Any, kwargs: Any) -> bool:
    """Whether more than one row of the result moves with the first row of what is given."""
    base = _rows(member(*copied(args), **copied(kwargs)))
    given = next((one for one in tensors((args, kwargs)) if _has_rows(one)), None)
    if given is None or base is None:
        return False
    given[(0,) * (given.dim() - 1)].mul_(0.5).add_(0.1)
    changed = _rows(member(*args, **kwargs))
    return changed is not None and int(moved_rows(base, changed).sum()) > 1


def _rows(raw: Any) -> Tensor | None:
    """The first result as [N, D]."""
    found = next((one for one in tensors(raw) if _has_rows(one)), None)
    return None if found is None else found.reshape(-1, found.shape[-1])


def _has_rows(value: Tensor) -> bool:
    return value.is_floating_point() and value.dim() > 1 and value.numel() > 0
