from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Config:
    dim: int = 256
    heads: int = 8
    ffn: int = 1024
    p: float = 0.1


class EncoderBlock(nn.Module):
    def __init__(self, cfg: Config):
        super().__init__()
        self.attn = nn.MultiheadAttention(cfg.dim, cfg.heads, dropout=cfg.p, batch_first=True)
        self.norm1 = nn.LayerNorm(cfg.dim)
        self.norm2 = nn.LayerNorm(cfg.dim)
        self.w_gate = nn.Linear(cfg.dim, cfg.ffn)  # SICK
        self.w_in = nn.Linear(cfg.dim, cfg.ffn)
        self.w_out = nn.Linear(cfg.ffn, cfg.dim)
        self.drop = nn.Dropout(cfg.p)

    def forward(self, x, key_padding_mask=None):
        h = self.norm1(x)
        a, _ = self.attn(h, h, h, key_padding_mask=key_padding_mask, need_weights=False)
        x = x + self.drop(a)
        h = self.norm2(x)
        h = self.w_out(F.gelu(self.w_in(h)))
        return x + self.drop(h)
