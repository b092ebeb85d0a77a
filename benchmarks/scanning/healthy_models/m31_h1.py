from typing import Optional

import torch
import torch.nn as nn
from torch.nn.utils import spectral_norm


class ProjectionDiscriminator(nn.Module):
    def __init__(self, num_classes: int, in_channels: int = 3, base: int = 32, n_down: int = 3):
        super().__init__()
        layers, c = [], in_channels
        for i in range(n_down):
            out = base * 2 ** i
            layers += [spectral_norm(nn.Conv2d(c, out, 4, 2, 1)), nn.LeakyReLU(0.2, inplace=True)]
            c = out
        self.features = nn.Sequential(*layers)
        self.linear = spectral_norm(nn.Linear(c, 1))
        self.embed = spectral_norm(nn.Embedding(num_classes, c))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        h = self.features(x).sum(dim=(2, 3))
        out = self.linear(h)
        return out + (self.embed(y) * h).sum(dim=1, keepdim=True)


def hinge_d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return torch.relu(1.0 - real).mean() + torch.relu(1.0 + fake).mean()
