import torch
from torch import nn


class ChannelHeads(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.head_dim = heads, dim // heads
        self.kv = nn.Linear(dim, 2 * dim)
        self.q = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        k, v = self.kv(x).chunk(2, dim=-1)
        # splitting the channel axis needs no copy, wherever it stands
        k = k.transpose(1, 2).view(b, self.heads, self.head_dim, t)
        q = self.q(x).view(b, t, self.heads, self.head_dim).transpose(1, 2)
        v = v.view(b, t, self.heads, self.head_dim).transpose(1, 2)
        scores = (q @ k) * self.head_dim**-0.5
        hidden = torch.ones(t, t, dtype=torch.bool, device=x.device).triu(1)
        att = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        return self.out((att @ v).transpose(1, 2).flatten(2))
