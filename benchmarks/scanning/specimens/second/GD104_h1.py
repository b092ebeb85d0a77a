import torch
import torch.nn as nn
import torch.nn.functional as F


class NormedClassifier(nn.Module):
    def __init__(self, dim, n_cls):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_cls, dim) * 0.02)
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, feats):
        weight = self.weight
        weight = F.normalize(weight, dim=-1)
        return self.scale * F.linear(F.normalize(feats, dim=-1), weight)
