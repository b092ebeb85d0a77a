import torch
from torch import nn


class InputScaledMoE(nn.Module):
    """Llama-4 style: the token is scaled by its score before the expert sees it."""

    def __init__(self, dim, n_experts):
        super().__init__()
        self.router = nn.Linear(dim, n_experts, bias=False)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim)) for _ in range(n_experts))
        self.shared = nn.Linear(dim, dim)

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        score, chosen = self.router(flat).max(dim=-1)
        scaled = flat * torch.sigmoid(score).unsqueeze(-1)
        out = self.shared(flat)
        for e, expert in enumerate(self.experts):
            rows = torch.nonzero(chosen == e).squeeze(-1)
            out = out.index_add(0, rows, expert(scaled[rows]))
        return out.reshape(x.shape)
