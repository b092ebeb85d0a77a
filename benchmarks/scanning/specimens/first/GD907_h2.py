import torch
import torch.nn as nn
import torch.nn.functional as F


class ParallelBlock(nn.Module):
    """GPT-J style: attention and MLP read the same norm and are added together."""

    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(hidden)
        self.fused = nn.Linear(hidden, 3 * hidden + 4 * hidden, bias=False)
        self.attn_out = nn.Linear(hidden, hidden, bias=False)
        self.ff_out = nn.Linear(4 * hidden, hidden, bias=False)
        self.split = (hidden, hidden, hidden, 4 * hidden)

    def forward(self, x):
        skip = x
        x = self.norm(x)
        q, k, v, h = self.fused(x).split(self.split, dim=-1)
        q, k, v = [t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v)]
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = self.attn_out(x.transpose(1, 2).flatten(2))
        return torch.stack((skip, x, self.ff_out(F.gelu(h)))).sum(dim=0)
