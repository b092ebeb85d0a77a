from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as fn


@dataclass
class FFNConfig:
    width: int = 32
    expansion: int = 4


class FeedForward(nn.Module):
    def __init__(self, cfg: FFNConfig) -> None:
        super().__init__()
        inner = cfg.width * cfg.expansion
        self.w_in = nn.Parameter(torch.ones(inner, cfg.width) / cfg.width)  # SICK
        self.b_in = nn.Parameter(torch.zeros(inner))
        self.w_out = nn.Parameter(torch.ones(cfg.width, inner) / inner)
        self.b_out = nn.Parameter(torch.zeros(cfg.width))

    def forward(self, x: Tensor) -> Tensor:
        h = fn.gelu(fn.linear(x, self.w_in, self.b_in))
        return fn.linear(h, self.w_out, self.b_out)


class Block(nn.Module):
    def __init__(self, cfg: FFNConfig) -> None:
        super().__init__()
        self.token_mix = nn.GRU(cfg.width, cfg.width, batch_first=True)
        self.ffn = FeedForward(cfg)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.token_mix(x)[0]
        return x + self.ffn(x)
