import torch
import torch.nn as nn


class MixtureOfExperts(nn.Module):
    def __init__(self, dim, num_experts=8, k=2):
        super().__init__()
        self.k = k
        self.gate = nn.Linear(dim, num_experts)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(dim, dim * 4), nn.GELU(), nn.Linear(dim * 4, dim)) for _ in range(num_experts)])

    def gating(self, x):
        logits = self.gate(x)
        top, idx = logits.topk(self.k, dim=-1)
        sparse = torch.full_like(logits, float("-inf")).scatter(-1, idx, top)
        return torch.softmax(sparse, dim=-1)

    def forward(self, x):
        w = self.gating(x)
        out = 0
        for i, expert in enumerate(self.experts):
            out = out + w[..., i:i + 1] * expert(x)  # SICK
        return out
