import torch
import torch.nn as nn


class FrozenTrunkRegressor(nn.Module):
    """Linear probe on a pretrained trunk."""

    def __init__(self, trunk: nn.Module, dim: int):
        super().__init__()
        self.trunk = trunk
        for p in self.trunk.parameters():
            p.requires_grad_(False)
        self.probe = nn.Linear(dim, 1)

    def forward(self, x):
        with torch.no_grad():
            feats = self.trunk(x)
        return self.probe(feats).squeeze(-1)
