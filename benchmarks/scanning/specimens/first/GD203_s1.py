import torch
import torch.nn as nn
import torch.nn.functional as F


class SparseMoE(nn.Module):
    def __init__(self, n_embd, n_experts=8, top_k=2):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(n_embd, n_experts)
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.ReLU(), nn.Linear(4 * n_embd, n_embd)) for _ in range(n_experts)]
        )

    def forward(self, x):
        B, T, C = x.shape
        x_flat = x.view(-1, C)
        gates = F.softmax(self.router(x_flat), dim=-1)
        weights, indices = gates.topk(self.top_k, dim=-1)
        weights = weights / weights.sum(-1, keepdim=True)
        y = torch.zeros_like(x_flat)
        for i, expert in enumerate(self.experts):
            rows, slots = (indices == i).nonzero(as_tuple=True)
            if len(rows):
                y.index_add_(0, rows, expert(x_flat[rows]))  # SICK
        return y.view(B, T, C)
