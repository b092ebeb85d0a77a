import torch
from torch import nn, Tensor


class ScanRecurrence(nn.Module):
    """h_t = a_t * h_{t-1} + b_t, written slot by slot into one result."""

    def __init__(self, dim: int):
        super().__init__()
        self.decay = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        a = torch.sigmoid(self.decay(x))
        b = self.value(x)
        h = torch.zeros_like(b[:, 0])
        trace = torch.empty_like(b)
        for t in range(x.size(1)):
            h = a[:, t] * h + (1 - a[:, t]) * b[:, t]
            trace[:, t] = h
        y = self.out(trace)
        y += x
        return y
