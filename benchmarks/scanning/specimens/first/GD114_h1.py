import copy

from torch import nn


def clones(module, n):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])


class Encoder(nn.Module):
    def __init__(self, layer, n, width):
        super().__init__()
        self.layers = clones(layer, n)
        kinds = [nn.LayerNorm] * n
        self.norms = nn.ModuleList([kind(width) for kind in kinds])

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms):
            x = norm(x + layer(x))
        return x


def build(width=64, depth=4):
    feed_forward = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
    return nn.Sequential(Encoder(feed_forward, depth, width), nn.Linear(width, 1))
