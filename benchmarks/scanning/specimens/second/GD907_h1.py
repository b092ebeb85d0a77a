import torch
import torch.nn as nn


class ParallelBlock(nn.Module):
    def __init__(self, dim, heads, mult=4, p=0.1):
        super().__init__()
        self.ln = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, dropout=p, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, mult * dim), nn.GELU(), nn.Linear(mult * dim, dim), nn.Dropout(p))

    def forward(self, x):
        skip = x
        x = self.ln(x)
        a = self.attn(x, x, x, need_weights=False)[0]
        x = self.mlp(x)
        x = torch.stack((skip, a, x)).sum(0)
        return x
