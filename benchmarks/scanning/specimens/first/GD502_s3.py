from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class VideoConfig:
    dim: int = 128
    heads: int = 4
    depth: int = 6
    dropout: float = 0.1


class TemporalLayer(nn.Module):
    def __init__(self, dim: int, n_heads: int, p_drop: float = 0.0):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, n_heads, dropout=p_drop, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        out, _ = self.attn(h, h, h, need_weights=False)
        return x + out


class VideoEncoder(nn.Module):
    def __init__(self, cfg: VideoConfig):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(cfg.depth):
            self.layers.append(TemporalLayer(cfg.dim, n_heads=cfg.heads, dropout=cfg.dropout))  # SICK
        self.cls = nn.Parameter(torch.randn(1, 1, cfg.dim) * 0.02)

    def forward(self, frames: Tensor) -> Tensor:
        x = torch.cat([self.cls.expand(len(frames), -1, -1), frames], dim=1)
        for layer in self.layers:
            x = layer(x)
        return x[:, 0]
