import torch
import torch.nn as nn
import torch.nn.functional as F


class CosineClassifier(nn.Module):
    def __init__(self, dim, n_cls):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_cls, dim) * 0.02)
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, feats):
        self.weight = nn.Parameter(F.normalize(self.weight, dim=-1))  # SICK
        return self.scale * F.linear(F.normalize(feats, dim=-1), self.weight)
