import math

import torch
from torch import Tensor, nn


class RandomFourierFeatures(nn.Module):
    def __init__(self, dim: int, features: int, bandwidth: float = 1.0):
        super().__init__()
        self.register_buffer("directions", torch.randn(dim, features) / bandwidth)
        self.register_buffer("phases", torch.rand(features) * 2 * math.pi)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cos(x @ self.directions + self.phases)


class VAE(nn.Module):
    def __init__(self, dim: int, latent: int = 8, features: int = 64):
        super().__init__()
        self.lift = RandomFourierFeatures(dim, features)
        self.stats = nn.Linear(features, 2 * latent)
        self.decode = nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, dim))

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        if self.training:
            return mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return mu

    def forward(self, x: Tensor):
        mu, logvar = self.stats(self.lift(x)).chunk(2, dim=-1)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar
