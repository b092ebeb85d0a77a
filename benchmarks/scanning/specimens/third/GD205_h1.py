import torch
from torch import nn


class MMoE(nn.Module):
    """Multi-gate mixture-of-experts for multi-task ranking."""

    def __init__(self, in_dim, expert_dim, n_experts, n_tasks):
        super().__init__()
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(in_dim, expert_dim), nn.ReLU()) for _ in range(n_experts)]
        )
        self.gates = nn.ModuleList([nn.Linear(in_dim, n_experts) for _ in range(n_tasks)])
        self.towers = nn.ModuleList([nn.Linear(expert_dim, 1) for _ in range(n_tasks)])

    def forward(self, x):
        expert_out = torch.stack([expert(x) for expert in self.experts], dim=1)
        outputs = []
        for gate, tower in zip(self.gates, self.towers):
            w = torch.softmax(gate(x), dim=-1)
            mixed = torch.einsum("be,bed->bd", w, expert_out)
            outputs.append(tower(mixed).squeeze(-1))
        return outputs


def loss_fn(outputs, targets):
    bce = nn.BCEWithLogitsLoss()
    return sum(bce(o, t) for o, t in zip(outputs, targets.unbind(dim=1)))
