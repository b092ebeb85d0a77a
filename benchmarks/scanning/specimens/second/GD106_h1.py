import torch.nn as nn
import torch.nn.functional as F


class NamedStages(nn.Module):
    def __init__(self, dim, depth=3):
        super().__init__()
        for i in range(depth):
            setattr(self, f"stage{i}", nn.Linear(dim, dim))
            setattr(self, f"norm{i}", nn.LayerNorm(dim))
        self.depth = depth

    def forward(self, x):
        for i in range(self.depth):
            fc, norm = getattr(self, f"stage{i}"), getattr(self, f"norm{i}")
            x = x + F.silu(fc(norm(x)))
        return x
