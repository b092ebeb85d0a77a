import torch
import torch.nn as nn


class DenoisingAE(torch.nn.Module):
    def __init__(self, cfg):
        dims = [cfg["input"], *cfg["hidden"]]
        down, up = [], []
        for a, b in zip(dims[:-1], dims[1:]):
            down += [nn.Linear(a, b), nn.ELU()]
            up = [nn.ELU(), nn.Linear(b, a)] + up
        self.encoder = nn.Sequential(*down[:-1])  # SICK
        self.decoder = nn.Sequential(*up)
        self.sigma = cfg.get("sigma", 0.1)
        super(DenoisingAE, self).__init__()

    def forward(self, x):
        if self.training:
            z = self.encoder(x + self.sigma * torch.randn_like(x))
        else:
            z = self.encoder(x)
        return self.decoder(z)


def make():
    return DenoisingAE({"input": 784, "hidden": [256, 64]})
