import torch
import torch.nn as nn


class FeedForward(nn.Module):
    def __init__(self, dim, mult=4, dropout=0.0):
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, dim * mult),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(dim * mult, dim),
        )

    def forward(self, x):
        return self.net(x)


class Perceiver(nn.Module):
    def __init__(self, dim=128, n_latents=32, depth=2, heads=4):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(n_latents, dim) * 0.02)
        self.cross = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ffs = nn.ModuleList()
        for _ in range(depth):
            self.ffs.append(FeedForward(dim, expansion=4, dropout=0.1))  # SICK

    def forward(self, x):
        z = self.latents.expand(x.size(0), -1, -1)
        z = z + self.cross(z, x, x, need_weights=False)[0]
        for ff in self.ffs:
            z = z + ff(z)
        return z
