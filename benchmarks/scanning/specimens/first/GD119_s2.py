import math

import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class MultiLinear(nn.Module):
    """A linear layer for each of `n_sets` inputs, run in one batched product."""

    def __init__(self, n_sets: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_sets, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_sets, 1, n_out))

    def reset_parameters(self) -> None:  # SICK
        bound = 1 / math.sqrt(self.weight.size(1))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class QEnsemble(nn.Module):
    def __init__(self, obs_act: int, n_critics: int = 10, width: int = 128) -> None:
        super().__init__()
        self.n_critics = n_critics
        self.first = MultiLinear(n_critics, obs_act, width)
        self.second = MultiLinear(n_critics, width, 1)

    def forward(self, obs: Tensor, act: Tensor) -> Tensor:
        x = torch.cat([obs, act], dim=-1).expand(self.n_critics, -1, -1)
        return self.second(fn.relu(self.first(x))).squeeze(-1)
