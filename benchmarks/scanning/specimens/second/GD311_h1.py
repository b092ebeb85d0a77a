import torch
import torch.nn as nn


class PrototypeMatcher(nn.Module):
    def __init__(self, dim, n_proto):
        super().__init__()
        self.left = nn.Linear(dim, dim)
        self.protos = nn.Parameter(torch.randn(n_proto, dim))

    def forward(self, a, b):
        u = self.left(a)
        sim = u @ self.protos.T
        gram = torch.stack([x @ x.t() for x in b])
        return sim.amax(dim=-1), gram, u @ b.mT
