import torch
from torch import nn


class SoftExperts(nn.Module):
    """MMoE: each task mixes all the experts, none is left out."""

    def __init__(self, n_in, width, n_experts, n_tasks):
        super().__init__()
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(n_in, width), nn.ReLU()) for _ in range(n_experts))
        self.gates = nn.ModuleList(nn.Linear(n_in, n_experts) for _ in range(n_tasks))
        self.towers = nn.ModuleList(nn.Linear(width, 1) for _ in range(n_tasks))

    def forward(self, x):
        seen = torch.stack([expert(x) for expert in self.experts], dim=1)
        outs = []
        for gate, tower in zip(self.gates, self.towers):
            share = torch.softmax(gate(x), dim=-1)
            outs.append(tower((share.unsqueeze(-1) * seen).sum(dim=1)))
        return torch.cat(outs, dim=-1)
