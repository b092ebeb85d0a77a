import torch
import torch.nn as nn


class ViTBlock(nn.Module):
    def __init__(self, dim, heads, mlp_ratio=4, drop=0.0):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.self_attention = nn.MultiheadAttention(dim, heads, dropout=drop, batch_first=True)
        self.dropout = nn.Dropout(drop)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Dropout(drop), nn.Linear(mlp_ratio * dim, dim)
        )

    def forward(self, x):
        h = self.ln_1(x)
        h, _ = self.self_attention(h, h, h, need_weights=False)
        x = x + self.dropout(h)
        x = self.mlp(self.ln_2(x))  # SICK
        return x


class Encoder(nn.Module):
    def __init__(self, dim=192, depth=12, heads=3):
        super().__init__()
        self.layers = nn.Sequential(*[ViTBlock(dim, heads) for _ in range(depth)])
        self.ln = nn.LayerNorm(dim)

    def forward(self, tokens):
        return self.ln(self.layers(tokens))
