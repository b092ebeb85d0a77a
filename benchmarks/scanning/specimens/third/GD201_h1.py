import torch
from torch import nn


class SwitchFFN(nn.Module):
    """Top-1 routing: each token has exactly one expert."""

    def __init__(self, d_model: int, d_ff: int, num_experts: int):
        super().__init__()
        self.gate = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList()
        for _ in range(num_experts):
            self.experts.append(nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model)))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        b, t, d = hidden.shape
        flat = hidden.view(b * t, d)
        prob, route = self.gate(flat).softmax(-1).max(dim=-1)
        y = torch.empty_like(flat)
        for i, ffn in enumerate(self.experts):
            sel = route == i
            y[sel] = ffn(flat[sel]) * prob[sel].unsqueeze(-1)
        return y.view(b, t, d)
