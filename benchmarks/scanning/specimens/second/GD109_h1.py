import torch
import torch.nn as nn


class RandomFeatures(nn.Module):
    """Random Fourier features with a fixed projection and a learned readout."""

    def __init__(self, d_in: int, n_feat: int):
        super().__init__()
        w = torch.randn(d_in, n_feat)
        self.register_buffer("w", w)
        b = torch.zeros(n_feat)
        self.b = nn.Parameter(b)
        self.readout = nn.Linear(n_feat, 1)

    def forward(self, x):
        return self.readout(torch.cos(x @ self.w + self.b))
