import math

import torch
import torch.nn as nn


class FourierTimeEncoding(nn.Module):
    """Fixed random Fourier features followed by a learned projection."""

    def __init__(self, n_freq=64, dim=128, scale=10.0):
        super().__init__()
        freqs = torch.randn(n_freq) * scale
        self.register_buffer("freqs", freqs)
        self.register_parameter("shift", nn.Parameter(torch.rand(n_freq)))
        self.proj = nn.Linear(2 * n_freq, dim)

    def forward(self, t):
        angle = 2 * math.pi * (t[..., None] * self.freqs + self.shift)
        return self.proj(torch.cat([angle.sin(), angle.cos()], dim=-1))


class Denoiser(nn.Module):
    def __init__(self, data_dim=2, dim=128):
        super().__init__()
        self.time = FourierTimeEncoding(dim=dim)
        self.inp = nn.Linear(data_dim, dim)
        self.mid = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, data_dim)

    def forward(self, x, t):
        h = torch.nn.functional.silu(self.inp(x) + self.time(t))
        h = h + torch.nn.functional.silu(self.mid(h))
        return self.out(h)
