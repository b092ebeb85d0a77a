import torch
from torch import nn


class Flow(nn.Module):
    """Affine coupling: `encode` goes to the latent space, `decode` comes back."""

    def __init__(self, dim, hidden=64):
        super().__init__()
        self.half = dim // 2
        self.net = nn.Sequential(nn.Linear(self.half, hidden), nn.ReLU(), nn.Linear(hidden, 2 * (dim - self.half)))

    def _coefficients(self, x1):
        log_s, t = self.net(x1).chunk(2, dim=-1)
        return torch.tanh(log_s), t

    def encode(self, x):
        x1, x2 = x[..., :self.half], x[..., self.half:]
        log_s, t = self._coefficients(x1)
        return torch.cat([x1, x2 * log_s.exp() + t], -1), log_s.sum(-1)

    def decode(self, z):
        z1, z2 = z[..., :self.half], z[..., self.half:]
        log_s, t = self._coefficients(z1)
        return torch.cat([z1, (z2 - t) * (-log_s).exp()], -1)

    forward = encode
