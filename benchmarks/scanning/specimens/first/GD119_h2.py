import argparse

import torch
from torch import nn


class SirenLayer(nn.Module):
    def __init__(self, n_in, n_out, w0):
        super().__init__()
        self.w0 = w0
        self.lin = nn.Linear(n_in, n_out)

    def initialize(self, first):
        n = self.lin.in_features
        bound = 1 / n if first else (6 / n) ** 0.5 / self.w0
        nn.init.uniform_(self.lin.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(self.w0 * self.lin(x))


class Siren(nn.Module):
    def __init__(self, width, depth, w0=30.0):
        super().__init__()
        sizes = [2] + [width] * depth
        self.layers = nn.ModuleList(SirenLayer(a, b, w0) for a, b in zip(sizes, sizes[1:]))
        self.final = nn.Linear(width, 1)

    def setup_weights(self):
        for i, layer in enumerate(self.layers):
            layer.initialize(first=i == 0)
        return self

    def forward(self, xy):
        for layer in self.layers:
            xy = layer(xy)
        return self.final(xy)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=3)
    opts = parser.parse_args()
    field = Siren(opts.width, opts.depth).setup_weights()
    print(field(torch.rand(10, 2)).shape)
