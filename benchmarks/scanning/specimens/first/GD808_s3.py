import torch
from torch import nn


class Router(nn.Module):
    def __init__(self, dim, num_experts, jitter=0.5):
        super().__init__()
        self.gate = nn.Linear(dim, num_experts, bias=False)
        self.jitter = jitter

    def scores(self, tokens):
        raw = self.gate(tokens)
        return raw.add(torch.randn_like(raw), alpha=self.jitter)  # SICK

    def forward(self, tokens, k):
        weight, chosen = self.scores(tokens).topk(k, dim=-1)
        return weight.softmax(dim=-1), chosen


class SparseFFN(nn.Module):
    def __init__(self, dim, num_experts=4, k=2):
        super().__init__()
        self.k = k
        self.router = Router(dim, num_experts)
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)) for _ in range(num_experts)]
        )

    def forward(self, tokens):
        weight, chosen = self.router(tokens, self.k)
        out = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            row, slot = (chosen == number).nonzero(as_tuple=True)
            if row.numel():
                out.index_add_(0, row, weight[row, slot, None] * expert(tokens[row]))
        return out
