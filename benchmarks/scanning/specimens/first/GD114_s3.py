from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class EnsembleConf:
    n_in: int = 13
    width: int = 32
    members: int = 5


class DeepEnsemble(nn.Module):
    def __init__(self, conf: EnsembleConf):
        super().__init__()
        self.members = nn.ModuleList()
        member = nn.Sequential(
            nn.Linear(conf.n_in, conf.width),
            nn.ReLU(),
            nn.Linear(conf.width, 2),
        )
        for _ in range(conf.members):
            self.members.append(member)  # SICK

    def forward(self, x):
        outs = torch.stack([m(x) for m in self.members])
        mean, log_var = outs.unbind(dim=-1)
        return mean.mean(0), log_var.exp().mean(0) + mean.var(0, unbiased=False)

    def loss(self, x, y):
        outs = torch.stack([m(x) for m in self.members])
        mean, log_var = outs.unbind(-1)
        return 0.5 * (log_var + (y - mean) ** 2 / log_var.exp()).mean()
