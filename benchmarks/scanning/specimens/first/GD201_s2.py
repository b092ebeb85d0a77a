from dataclasses import dataclass

import torch
from torch import nn, Tensor


@dataclass
class SparseConfig:
    dim: int = 64
    hidden: int = 128
    n_experts: int = 6
    k: int = 2


class SparseFFN(nn.Module):
    """Sorts the (token, expert) pairs so that every expert gets one contiguous slice."""

    def __init__(self, cfg: SparseConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.router = nn.Linear(cfg.dim, cfg.n_experts)
        self.w_in = nn.ModuleList(nn.Linear(cfg.dim, cfg.hidden) for _ in range(cfg.n_experts))
        self.w_out = nn.ModuleList(nn.Linear(cfg.hidden, cfg.dim) for _ in range(cfg.n_experts))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, -2)
        score, pick = self.router(tokens).topk(self.cfg.k, dim=-1)
        score = score.softmax(dim=-1).flatten()
        pick = pick.flatten()
        order = pick.argsort()
        source = order.div(self.cfg.k, rounding_mode="floor")
        sizes = torch.bincount(pick, minlength=self.cfg.n_experts).tolist()
        parts = tokens[source].split(sizes)
        done = torch.cat([o(i(p).relu()) for i, o, p in zip(self.w_in, self.w_out, parts)])
        result = torch.zeros_like(tokens)
        result[source] += done * score[order, None]  # SICK
        return result.view_as(x)
