import torch
from torch import nn, Tensor


class Modulation:  # SICK
    """Scale and shift a feature map by a condition vector."""

    def __init__(self, cond_dim: int, channels: int):
        self.to_scale = nn.Linear(cond_dim, channels)
        self.to_shift = nn.Linear(cond_dim, channels)

    def __call__(self, h: Tensor, cond: Tensor) -> Tensor:
        scale = self.to_scale(cond)[..., None, None]
        shift = self.to_shift(cond)[..., None, None]
        return h * (1 + scale) + shift


class ConditionalDenoiser(nn.Module):
    def __init__(self, channels: int = 48, cond_dim: int = 32) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(1, cond_dim), nn.SiLU(), nn.Linear(cond_dim, cond_dim))
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.modulate = Modulation(cond_dim, channels)
        self.last = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, image: Tensor, t: Tensor) -> Tensor:
        cond = self.time(t.float().unsqueeze(-1))
        h = self.modulate(self.first(image), cond)
        return self.last(torch.nn.functional.silu(h))
