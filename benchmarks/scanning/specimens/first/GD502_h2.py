from functools import partial

import torch
from torch import nn


class Base(nn.Module):
    def __init__(self, dim, norm_layer=partial(nn.LayerNorm, eps=1e-6), act=nn.GELU):
        super().__init__()
        self.norm = norm_layer(dim)
        self.act = act()
        self.fc = nn.Linear(dim, dim)
        self.skip = nn.Identity(dim, inplace=True)

    def forward(self, x):
        return self.skip(x) + self.fc(self.act(self.norm(x)))


class Gated(Base):
    # same constructor as Base
    def forward(self, x, gate=None):
        y = super().forward(x)
        return y if gate is None else torch.lerp(x, y, gate)


class Tower(nn.Module):
    def __init__(self, dim, depth, block=Base, **block_options):
        super().__init__()
        self.blocks = nn.ModuleList(block(dim, **block_options) for _ in range(depth))

    def forward(self, x, *extra):
        for block in self.blocks:
            x = block(x, *extra)
        return x


def build(dim=64):
    tower = Tower(dim, 4, block=Gated, act=partial(nn.GELU, approximate="tanh"), norm_layer=nn.RMSNorm)
    return tower(torch.randn(2, 5, dim), torch.tensor(0.5))
