import torch
import torch.nn as nn


class PairwiseMatcher(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.left = nn.Linear(dim, dim)
        self.right = nn.Linear(dim, dim)

    def forward(self, a, b):
        # a: (batch, n, dim), b: (batch, m, dim)
        u, v = self.left(a), self.right(b)
        sim = u @ v.T  # SICK
        return sim.amax(dim=-1)
