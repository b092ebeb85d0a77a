import torch
import torch.nn as nn


class Stack(nn.ModuleList):
    """A list of layers applied in order, keeping every intermediate output."""

    def forward(self, x, return_all=False):
        states = []
        for layer in self:
            x = layer(x)
            states.append(x)
        return states if return_all else x


class DeepSupervised(nn.Module):
    def __init__(self, d_in, d, depth, n_out):
        super().__init__()
        self.inp = nn.Linear(d_in, d)
        self.stack = Stack(nn.Sequential(nn.Linear(d, d), nn.ReLU()) for _ in range(depth))
        self.heads = nn.ModuleDict({str(i): nn.Linear(d, n_out) for i in range(depth)})

    def forward(self, x):
        states = self.stack(torch.relu(self.inp(x)), return_all=True)
        return [self.heads[str(i)](h) for i, h in enumerate(states)]


if __name__ == "__main__":
    outs = DeepSupervised(8, 16, 3, 2)(torch.randn(5, 8))
    print([o.shape for o in outs])
