import torch
import torch.nn as nn


class PreNormLayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        n = self.norm1(x)
        x = x + self.attn(n, n, n, need_weights=False)[0]
        return x + self.ff(self.norm2(x))


class ProteinEncoder(nn.Module):
    def __init__(self, n_residues=25, max_len=512, dim=64, heads=4, depth=6, n_out=2):
        super().__init__()
        self.embed = nn.Embedding(n_residues, dim)
        self.pos = nn.Parameter(torch.randn(max_len, dim) * 0.02)
        self.layers = nn.ModuleList([PreNormLayer(dim, heads)] * depth)  # SICK
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, n_out)

    def forward(self, seq):
        x = self.embed(seq) + self.pos[: seq.size(1)]
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm(x).mean(dim=1))
