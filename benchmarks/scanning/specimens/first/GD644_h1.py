import torch
import torch.nn as nn


class Marginal(nn.Module):
    """The log of a sum of expert probabilities, all in log space."""

    def __init__(self, d, k, experts):
        super().__init__()
        self.gate = nn.Linear(d, experts)
        self.experts = nn.ModuleList(nn.Linear(d, k) for _ in range(experts))

    def forward(self, x, y):
        g = self.gate(x).log_softmax(-1)
        e = torch.stack([m(x).log_softmax(-1) for m in self.experts], dim=1)
        logp = torch.logsumexp(g.unsqueeze(-1) + e, dim=1)
        return -logp.gather(1, y[:, None]).mean()
