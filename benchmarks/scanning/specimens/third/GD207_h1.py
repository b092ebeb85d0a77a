import torch
import torch.nn as nn
import torch.nn.functional as F


class ExpertChoice(nn.Module):
    """Experts pick their tokens; the affinities are shared out over the experts."""

    def __init__(self, dim, n_experts=4, capacity_factor=1.0):
        super().__init__()
        self.n_experts = n_experts
        self.capacity_factor = capacity_factor
        self.w = nn.Parameter(torch.empty(n_experts, dim))
        nn.init.normal_(self.w, std=dim ** -0.5)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)) for _ in range(n_experts)
        )

    def forward(self, patches):
        b, n, d = patches.shape
        x = patches.reshape(b * n, d)
        affinity = F.softmax(self.w @ x.t(), dim=0)
        cap = max(1, int(self.capacity_factor * x.size(0) / self.n_experts))
        gate, token = affinity.topk(cap, dim=1)
        out = x.clone()
        for e, expert in enumerate(self.experts):
            out = out.index_add(0, token[e], gate[e, :, None] * expert(x[token[e]]))
        return out.view(b, n, d)
