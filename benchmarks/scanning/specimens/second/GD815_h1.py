import torch
import torch.nn as nn


class CausalLayer(nn.Module):
    def __init__(self, dim, heads, ff):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.self_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(dim, ff), nn.GELU(), nn.Linear(ff, dim))

    def forward(self, x):
        t = x.size(1)
        causal_mask = torch.triu(torch.ones(t, t, dtype=torch.bool, device=x.device), 1)
        options = {"need_weights": False, "attn_mask": causal_mask}
        h = self.norm1(x)
        x = x + self.self_attn(h, h, h, **options)[0]
        return x + self.ff(self.norm2(x))
