import torch
import torch.nn as nn


class GroupedExperts(nn.Module):
    def __init__(self, dim, n_groups=2, per_group=4, hidden=64):
        super().__init__()
        self.per_group = per_group
        self.n_groups = n_groups
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
            for _ in range(n_groups * per_group)
        )
        self.router = nn.Linear(dim, n_groups * per_group)

    def forward(self, x):
        scores = self.router(x).view(-1, self.n_groups, self.per_group)
        prob, local = scores.softmax(dim=-1).max(dim=-1)
        offset = torch.arange(self.n_groups, device=x.device) * self.per_group
        chosen = local + offset

        y = torch.zeros_like(x)
        for g in range(self.n_groups):
            for e in chosen[:, g].unique().tolist():
                rows = torch.nonzero(chosen[:, g] == e).squeeze(1)
                part = self.experts[e](x[rows]) * prob[rows, g].unsqueeze(1)
                y = y.index_add(0, rows, part)
        return y
