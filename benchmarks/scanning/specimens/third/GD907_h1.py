import torch
import torch.nn as nn
import torch.nn.functional as F


class Residual(nn.Module):
    def __init__(self, dim, fn, p=0.0):
        super().__init__()
        self.fn = fn
        self.norm = nn.LayerNorm(dim)
        self.drop = nn.Dropout(p)

    def forward(self, x, *args):
        return self.drop(self.fn(self.norm(x), *args)) + x


class SelfAttn(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class EncoderStack(nn.Module):
    def __init__(self, dim=64, heads=4, depth=3):
        super().__init__()
        self.attn = nn.ModuleList(Residual(dim, SelfAttn(dim, heads), 0.1) for _ in range(depth))
        self.mlp = nn.ModuleList(
            Residual(dim, nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)), 0.1)
            for _ in range(depth)
        )

    def forward(self, x):
        for attn, mlp in zip(self.attn, self.mlp):
            x = attn(x)
            x = mlp(x)
        return x
