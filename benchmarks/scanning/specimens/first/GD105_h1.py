import math

import torch
from torch import nn


class MaskedPoolingBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query = nn.Parameter(torch.randn(dim) * dim ** -0.5)
        self.key = nn.Linear(dim, dim)
        self.conv = nn.Conv1d(dim, dim, 3, padding=1)
        self.bn = nn.BatchNorm1d(dim)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x, pad):
        out = self.bn(self.conv(x.transpose(1, 2)))
        out += x.transpose(1, 2)
        out = self.act(out).transpose(1, 2)
        scores = self.key(out) @ self.query
        scores /= math.sqrt(out.size(-1))
        scores.masked_fill_(pad, float("-inf"))
        return (scores.softmax(dim=1).unsqueeze(-1) * out).sum(dim=1)
