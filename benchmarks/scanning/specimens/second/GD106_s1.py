import torch
import torch.nn as nn


class ResidualMLP(nn.Module):
    def __init__(self, dim, expansion=4):
        super().__init__()
        self.ln_in = nn.LayerNorm(dim)
        self.ln_out = nn.LayerNorm(dim)  # SICK
        self.fc = nn.Linear(dim, dim * expansion)
        self.proj = nn.Linear(dim * expansion, dim)

    def forward(self, x):
        h = self.ln_in(x)
        h = nn.functional.gelu(self.fc(h))
        h = self.proj(h)
        return x + h
