"""The vein: a narrow way through which a wide vector is sent and read again."""

import torch.nn as nn


class VeinProjector(nn.Module):
    """A low-rank map dim -> rank -> dim whose two halves can be used apart."""

    def __init__(self, dim, rank):
        super().__init__()
        self.down = nn.Linear(dim, rank, bias=False)
        self.up = nn.Linear(rank, dim, bias=False)

    def project(self, x):
        return self.down(x)  # [..., C] -> [..., R]

    def reconstruct(self, z):
        return self.up(z)  # [..., R] -> [..., C]

    def forward(self, x):
        return self.reconstruct(self.project(x))  # [..., C]
