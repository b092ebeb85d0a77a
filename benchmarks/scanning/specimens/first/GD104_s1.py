import torch
import torch.nn as nn
import torch.nn.functional as F


class CosineClassifier(nn.Module):
    def __init__(self, dim, n_classes, scale=16.0):
        super().__init__()
        self.scale = scale
        self.trunk = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.prototypes = nn.Parameter(torch.randn(n_classes, dim))

    def forward(self, x):
        feats = F.normalize(self.trunk(x), dim=-1)
        self.prototypes = nn.Parameter(F.normalize(self.prototypes, dim=-1))  # SICK
        return self.scale * feats @ self.prototypes.t()
