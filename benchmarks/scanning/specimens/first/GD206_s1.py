import torch
import torch.nn as nn
import torch.nn.functional as F


class MoEFeedForward(nn.Module):
    def __init__(self, dim, hidden, n_experts=8, k=2):
        super().__init__()
        self.k = k
        self.gate = nn.Linear(dim, n_experts, bias=False)
        self.experts = nn.ModuleList([
            nn.Sequential(nn.Linear(dim, hidden), nn.SiLU(), nn.Linear(hidden, dim)) for _ in range(n_experts)
        ])

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        weights, ids = torch.topk(self.gate(flat), self.k, dim=-1)
        weights = F.softmax(weights, dim=-1)
        out = torch.zeros_like(flat)
        # only visit the experts that got something
        for i, e in enumerate(ids.unique()):
            rows, slots = torch.where(ids == e)
            out.index_add_(0, rows, self.experts[i](flat[rows]) * weights[rows, slots, None])  # SICK
        return out.view_as(x)
