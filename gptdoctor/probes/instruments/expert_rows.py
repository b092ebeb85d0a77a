"""The rows of experts that the logits depend on, as a test of the user's own counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.probes.expert_routing import random_objective


def rows_that_count(experts: Iterable[nn.Module], forward: Callable[[], Tensor]) -> int:
    """How many of the vectors [.., D] that experts give have an effect on the logits."""
    made: list[Tensor] = []
    for expert in experts:
        expert.register_forward_hook(lambda expert, given, output: made.append(output))
    objective = random_objective(forward())
    if not made:
        return 0
    gradients = torch.autograd.grad(objective, made, allow_unused=True, materialize_grads=True)
    return sum(int(each.any(dim=-1).sum()) for each in gradients)


class TopkWatch(TorchFunctionMode):
    """While active, counts for each choice among `experts` how often it takes each of them."""

    def __init__(self, experts: int) -> None:
        super().__init__()
        self._experts = experts
        self.counts: list[list[int]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "topk" and args[0].shape[-1] == self._experts:
            taken = torch.bincount(result.indices.flatten(), minlength=self._experts)
            self.counts.append(taken.tolist())
        return result
