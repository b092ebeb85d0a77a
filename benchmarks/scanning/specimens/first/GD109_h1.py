import math

import torch
from torch import nn


class FourierFeatures(nn.Module):
    """Random projection that stays as it was drawn (Tancik et al.)."""

    def __init__(self, n_in, n_freq, sigma=10.0):
        super().__init__()
        freqs = torch.randn(n_in, n_freq) * sigma
        self.register_buffer("freqs", freqs)

    def forward(self, x):
        angle = 2 * math.pi * x @ self.freqs
        return torch.cat((angle.sin(), angle.cos()), dim=-1)


class ImageField(nn.Module):
    def __init__(self, n_freq=128, width=256):
        super().__init__()
        self.features = FourierFeatures(2, n_freq)
        self.net = nn.Sequential(nn.Linear(2 * n_freq, width), nn.ReLU(), nn.Linear(width, 3), nn.Sigmoid())

    def forward(self, coords):
        return self.net(self.features(coords))
