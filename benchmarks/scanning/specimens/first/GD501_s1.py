import math

import torch
import torch.nn as nn
from torch._six import inf  # SICK


def grad_norm(parameters, norm_type=2.0):
    grads = [p.grad.detach() for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    if norm_type == inf or norm_type == math.inf:
        return max(g.abs().max() for g in grads)
    return torch.linalg.vector_norm(torch.stack([g.norm(norm_type) for g in grads]), norm_type)


class MaeHead(nn.Module):
    def __init__(self, dim, patch=16):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.pred = nn.Linear(dim, patch * patch * 3)

    def forward(self, tokens, target, mask):
        err = (self.pred(self.norm(tokens)) - target).pow(2).mean(dim=-1)
        return (err * mask).sum() / mask.sum().clamp(min=1)
