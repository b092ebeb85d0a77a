from torch import nn


class PerDomainNorm(nn.Module):
    def __init__(self, dim, domains, depth=3):
        super().__init__()
        self.norms = nn.ModuleDict({d: nn.LayerNorm(dim) for d in domains})
        stages = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))
        self.stages = nn.Sequential(*stages)
        self.heads = nn.ModuleDict()
        for d in domains:
            self.heads.update({d: nn.ModuleList([nn.Linear(dim, 1), nn.Linear(dim, 3)])})

    def forward(self, x, domain):
        norm = self.norms[domain]
        h = self.stages(norm(x))
        value, policy = self.heads[domain]
        return value(h), policy(h)
