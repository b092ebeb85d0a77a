import torch
from torch import nn


class ArgsSequential(nn.Sequential):
    """Hands the extra inputs on to every layer."""

    def forward(self, x, *args, **kwargs):
        for layer in self:
            x = layer(x, *args, **kwargs)
        return x


class FiLM(nn.Module):
    def __init__(self, dim, cond_dim, **norm_kwargs):
        super().__init__()
        self.norm = nn.LayerNorm(dim, **norm_kwargs)
        self.to_scale = nn.Linear(cond_dim, dim)
        self.mlp = nn.Linear(dim, dim)

    def forward(self, x, cond, *, strength=1.0):
        h = self.norm(x) * (1 + strength * self.to_scale(cond))
        return x + torch.relu(self.mlp(h))


class ConditionedNet(nn.Module):
    def __init__(self, dim=32, cond_dim=8, depth=3):
        super().__init__()
        self.body = ArgsSequential(*[FiLM(dim, cond_dim, eps=1e-6, elementwise_affine=False) for _ in range(depth)])

    def forward(self, x, cond):
        return self.body(x, cond, strength=0.5)
