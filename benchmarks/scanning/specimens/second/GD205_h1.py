import torch
import torch.nn as nn


class SoftMixture(nn.Module):
    """Dense mixture: all experts take part in every token by their share."""

    def __init__(self, dim, num_experts=4):
        super().__init__()
        self.router = nn.Linear(dim, num_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(num_experts))

    def forward(self, x):
        share = self.router(x).softmax(dim=-1)
        y = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            y = y + share[..., e:e + 1] * expert(x)
        return y
