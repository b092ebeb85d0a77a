import math

import torch
from torch import nn


def unit(w, eps=1e-4):
    norm = torch.linalg.vector_norm(w, dim=1, keepdim=True, dtype=torch.float32)
    return w / (eps + norm / math.sqrt(w.shape[1])).to(w.dtype)


class MPLinear(nn.Module):
    """Magnitude-preserving layer: the stored rows are kept at unit magnitude, as in EDM2."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in))

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.weight.copy_(unit(self.weight))
        return x @ (unit(self.weight) / math.sqrt(self.weight.shape[1])).t()


class MPNet(nn.Module):
    def __init__(self, n_in, width, n_out):
        super().__init__()
        self.inner = MPLinear(n_in, width)
        self.outer = MPLinear(width, n_out)

    def forward(self, x):
        return self.outer(nn.functional.silu(self.inner(x)) / 0.596)
