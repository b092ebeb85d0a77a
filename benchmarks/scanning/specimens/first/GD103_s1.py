import torch.nn as nn


class ResidualMLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class TabularNet(nn.Module):
    def __init__(self, n_features, n_out, width=128, depth=6):
        super().__init__()
        self.inp = nn.Linear(n_features, width)
        self.blocks = [ResidualMLP(width) for _ in range(depth)]  # SICK
        self.out = nn.Linear(width, n_out)

    def forward(self, x):
        h = self.inp(x)
        for block in self.blocks:
            h = block(h)
        return self.out(h)
