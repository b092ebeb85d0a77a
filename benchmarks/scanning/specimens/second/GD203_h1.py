import torch
from torch import nn


class BlendedFFN(nn.Module):
    def __init__(self, width: int, experts: int, top: int):
        super().__init__()
        self.gate = nn.Linear(width, experts)
        self.ff = nn.ModuleList([nn.Linear(width, width) for _ in range(experts)])
        self.top = top

    def forward(self, h):
        vals, chosen = torch.topk(self.gate(h), self.top, dim=-1)
        dense = torch.zeros(*h.shape[:-1], len(self.ff), device=h.device, dtype=h.dtype)
        dense = dense.scatter(-1, chosen, vals.softmax(-1))
        out = torch.zeros_like(h)
        for i, f in enumerate(self.ff):
            hit = (chosen == i).any(dim=-1)
            if hit.any():
                out[hit] += f(h[hit]) * dense[..., i][hit].unsqueeze(-1)
        return out
