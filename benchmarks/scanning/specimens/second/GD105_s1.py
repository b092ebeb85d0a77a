import torch
from torch import nn


class GatedUnit(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gate = nn.Linear(d, d)
        self.value = nn.Linear(d, d)

    def forward(self, x, bias):
        g = torch.sigmoid(self.gate(x))
        v = torch.tanh(self.value(x))
        y = g * v
        g += bias  # SICK
        return y + g
