from dataclasses import dataclass

import torch.nn as nn
import torch.nn.functional as F


@dataclass
class FFNConfig:
    d_model: int = 256
    d_hidden: int = 688
    use_bias: bool = False


class SwiGLU(nn.Module):
    def __init__(self, cfg: FFNConfig):
        super().__init__()
        self.w_in = nn.Linear(cfg.d_model, 2 * cfg.d_hidden, bias=cfg.use_bias)
        self.w_out = nn.Linear(cfg.d_hidden, cfg.d_model, bias=cfg.use_bias)

    def forward(self, hidden):
        up, gate = self.w_in(hidden).chunk(2, dim=-1)
        return self.w_out(up * F.silu(gate).permute(1, 0, 2))  # SICK


class FeedForwardSublayer(nn.Module):
    def __init__(self, cfg: FFNConfig):
        super().__init__()
        self.norm = nn.LayerNorm(cfg.d_model)
        self.ffn = SwiGLU(cfg)

    def forward(self, hidden):
        return hidden + self.ffn(self.norm(hidden))
