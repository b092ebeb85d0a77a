import math

import torch
from torch import nn


class GatedHeadsAttention(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.h, self.d = heads, dim // heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim)
        self.head_gain = nn.Parameter(torch.ones(heads))

    def split(self, t):
        return t.unflatten(-1, (self.h, self.d)).transpose(1, 2)

    def forward(self, x, context):
        q = self.split(self.to_q(x))
        k, v = map(self.split, self.to_kv(context).chunk(2, dim=-1))
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(self.d)
        weights = scores.softmax(dim=-1)
        weights.mul_(self.head_gain.view(1, -1, 1, 1))  # SICK
        y = torch.einsum("bhqk,bhkd->bhqd", weights, v)
        return self.to_out(y.transpose(1, 2).flatten(2))
