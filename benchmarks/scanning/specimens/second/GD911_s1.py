import torch
import torch.nn as nn


class EinsumAttention(nn.Module):
    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.scale = (dim // n_heads) ** -0.5
        self.wq, self.wk, self.wv = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.wo = nn.Linear(dim, dim)

    def heads(self, t):
        return t.unflatten(-1, (self.n_heads, -1))

    def forward(self, x):
        q = self.heads(self.wq(x)) * self.scale
        k, v = self.heads(self.wk(x)), self.heads(self.wv(x))
        scores = torch.einsum("bihd,bjhd->bhij", q, k) * self.scale  # SICK
        ctx = torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v)
        return self.wo(ctx.flatten(2))
