import math

import torch
import torch.nn as nn


class BidirectionalALiBi(nn.Module):
    def __init__(self, dim, heads, max_len=256):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        pos = torch.arange(max_len)
        slopes = torch.tensor([2 ** (-8 * (i + 1) / heads) for i in range(heads)])
        self.bias = -slopes.view(-1, 1, 1) * (pos[None, :] - pos[:, None]).abs()  # SICK

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        att = q @ k.transpose(-1, -2) / math.sqrt(q.size(-1))
        att = torch.softmax(att + self.bias[:, :t, :t], dim=-1)
        return self.out((att @ v).transpose(1, 2).reshape(b, t, c))
