import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class MaskedSelfAttention(nn.Module):
    def __init__(self, width, heads, longest=64):
        super().__init__()
        self.heads = heads
        self.qkv = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.merge = nn.Linear(width, width)
        hidden = torch.triu(torch.ones(longest, longest, dtype=torch.bool), diagonal=1)
        self.register_buffer("hidden", hidden)

    def forward(self, x):
        n = x.size(1)
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in self.qkv)
        y = scaled_dot_product_attention(q, k, v, ~self.hidden[:n, :n])
        return self.merge(y.transpose(1, 2).flatten(-2))
