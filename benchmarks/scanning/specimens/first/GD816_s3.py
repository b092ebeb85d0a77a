from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class AttnConfig:
    dim: int = 64
    heads: int = 4
    causal: bool = True


class AlibiBias(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.register_buffer("slopes", 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads))

    def forward(self, n):
        steps = torch.arange(n, device=self.slopes.device)
        distance = (steps[:, None] - steps[None, :]).clamp(min=0)
        return -self.slopes[:, None, None] * distance


class DecoderAttention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.bias = AlibiBias(cfg.heads)
        self.wqkv = nn.Linear(cfg.dim, 3 * cfg.dim, bias=False)
        self.wo = nn.Linear(cfg.dim, cfg.dim, bias=False)
        self.is_causal = cfg.causal

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = [t.view(b, n, self.cfg.heads, -1).transpose(1, 2) for t in self.wqkv(x).chunk(3, -1)]
        bias = self.bias(n).to(q.dtype)
        y = nn.functional.scaled_dot_product_attention(q, k, v, bias, 0.0, self.is_causal)  # SICK
        return self.wo(y.transpose(1, 2).reshape(b, n, d))
