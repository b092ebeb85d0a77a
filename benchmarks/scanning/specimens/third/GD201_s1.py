import torch
import torch.nn as nn
import torch.nn.functional as F


class SparseMoE(nn.Module):
    def __init__(self, dim, n_experts=8, top_k=2, mult=4):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(dim, n_experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, mult * dim), nn.SiLU(), nn.Linear(mult * dim, dim))
            for _ in range(n_experts)
        )

    def forward(self, x):
        shape = x.shape
        x = x.reshape(-1, shape[-1])
        gates = F.softmax(self.router(x), dim=-1)
        weight, chosen = gates.topk(self.top_k, dim=-1)
        weight = weight / weight.sum(dim=-1, keepdim=True)

        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            token, slot = torch.where(chosen == e)
            if token.numel() == 0:
                continue
            out[token] = weight[token, slot, None] * expert(x[token])  # SICK
        return out.view(shape)
