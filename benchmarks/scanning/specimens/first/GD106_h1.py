import torch
from torch import nn


class ThreeTower(nn.Module):
    NAMES = ("user", "item", "context")

    def __init__(self, sizes, width=32):
        super().__init__()
        for name, size in zip(self.NAMES, sizes):
            setattr(self, f"{name}_table", nn.Embedding(size, width))
        self.user_bias = nn.Embedding(sizes[0], 1)
        self.item_bias = nn.Embedding(sizes[1], 1)
        self.mlp = nn.Sequential(nn.Linear(3 * width, width), nn.ReLU(), nn.Linear(width, 1))

    def _look_up(self, kind, ids):
        return getattr(self, f"{kind}_table")(ids)

    def forward(self, batch):
        h = torch.cat([self._look_up(n, batch[n]) for n in self.NAMES], dim=-1)
        bias = sum(getattr(self, k + "_bias")(batch[k]) for k in ("user", "item"))
        return (self.mlp(h) + bias).squeeze(-1)
