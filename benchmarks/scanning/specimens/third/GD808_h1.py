import torch
import torch.nn as nn
import torch.nn.functional as F


class DropPath(nn.Module):
    def __init__(self, p=0.1):
        super().__init__()
        self.p = p

    def forward(self, x):
        if self.p == 0.0 or not self.training:
            return x
        keep = torch.rand(x.size(0), *[1] * (x.dim() - 1), device=x.device) >= self.p
        return x * keep / (1 - self.p)


class VAE(nn.Module):
    def __init__(self, n=64, z=8, jitter=0.05):
        super().__init__()
        self.enc = nn.Linear(n, 2 * z)
        self.dec = nn.Sequential(nn.Linear(z, 128), nn.ReLU(), nn.Linear(128, n))
        self.path = DropPath(0.1)
        self.jitter = jitter

    def forward(self, x):
        if self.training:
            x = x + self.jitter * torch.randn_like(x)
        mu, logvar = self.enc(F.dropout(x, 0.1, self.training)).chunk(2, dim=-1)
        z = torch.distributions.Normal(mu, (0.5 * logvar).exp()).rsample() if self.training else mu
        return self.path(self.dec(z)), mu, logvar
