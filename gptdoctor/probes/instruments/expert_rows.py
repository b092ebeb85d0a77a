"""The rows of experts that the logits depend on, as a test of the user's own counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from gptdoctor.probes.expert_routing import random_objective


def rows_that_count(experts: Iterable[nn.Module], forward: Callable[[], Tensor]) -> int:
    """How many of the vectors [.., D] that experts give have an effect on the logits."""
    made: list[Tensor] = []
    for expert in experts:
        expert.register_forward_hook(lambda expert, given, output: made.append(output))
    objective = random_objective(forward())
    gradients = torch.autograd.grad(objective, made, allow_unused=True, materialize_grads=True)
    return sum(int(each.any(dim=-1).sum()) for each in gradients)
