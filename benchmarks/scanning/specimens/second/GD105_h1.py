import torch
from torch import nn


class ShiftedGate(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gate = nn.Linear(d, d)
        self.value = nn.Linear(d, d)

    def forward(self, x, bias):
        g = self.gate(x)
        g += bias
        v = self.value(x).clone()
        v.add_(x)
        return torch.sigmoid(g) * v
