from dataclasses import dataclass

import torch
from torch import nn


@dataclass(eq=False)
class GeneratorNet(nn.Module):
    latent: int = 64
    width: int = 128
    pixels: int = 784

    def __post_init__(self):
        super().__init__()
        self.fc1 = nn.Linear(self.latent, self.width)
        self.fc2 = nn.Linear(self.width, self.pixels)

    def forward(self, z):
        return torch.tanh(self.fc2(torch.relu(self.fc1(z))))


class CriticNet(nn.Module):
    def __init__(self, pixels=784, width=128):
        nn.Module.__init__(self)
        self.fc1 = nn.Linear(pixels, width)
        self.fc2 = nn.Linear(width, 1)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x))).squeeze(-1)
