import torch
import torch.nn as nn


class ResidualMLP(nn.Module):
    def __init__(self, dim, depth, mult=4):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(depth):
            self.layers.append(
                nn.Sequential(
                    nn.LayerNorm(dim),
                    nn.Linear(dim, mult * dim),
                    nn.ReLU(inplace=True),
                    nn.Linear(mult * dim, dim),
                )
            )

    def forward(self, x, keep):
        for layer in self.layers:
            out = layer(x)
            out += x
            x = out
        y = x.clone()
        y[~keep] = 0.0
        return y


net = ResidualMLP(16, 2)
inp = torch.randn(4, 7, 16)
keep = torch.rand(4, 7) > 0.2
net(inp, keep).pow(2).mean().backward()
