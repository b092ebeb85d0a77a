import torch
import torch.nn as nn


class MoEBlock(nn.Module):
    def __init__(self, dim, num_experts=16, top_k=2):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(dim, num_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(num_experts))

    def forward(self, x):
        w, idx = self.router(x).topk(self.top_k, dim=-1)
        w = w.softmax(dim=-1)
        y = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            share = torch.where(idx == e, w, torch.zeros_like(w)).sum(-1, keepdim=True)
            y = y + share * expert(x)  # SICK
        return y
