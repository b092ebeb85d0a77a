import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class CosineAttention(nn.Module):
    """Swin-v2 style: cosine similarities times a learned, bounded scale."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attn = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        attn = attn * self.logit_scale.clamp(max=math.log(100.0)).exp()
        y = attn.softmax(dim=-1) @ v
        return self.proj(y.transpose(1, 2).flatten(2))


class DotAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q, self.k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.inv = 1.0 / math.sqrt(dim)

    def forward(self, x):
        q = self.q(x).mul(self.inv)
        return torch.bmm(torch.bmm(q, self.k(x).transpose(1, 2)).softmax(-1), x)
