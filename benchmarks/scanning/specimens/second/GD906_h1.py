import torch
import torch.nn as nn


class ZeroStartBranch(nn.Module):
    """Residual branch that starts as the identity."""

    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)
        self.gain = nn.Parameter(torch.full((dim,), 0.1))

    def forward(self, x):
        return x + self.gain * self.down(torch.tanh(self.up(x)))
