from torch import nn, Tensor


class ResBlock(nn.Module):
    def __init__(self, ch: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(ch, ch, 3, 1, 1), nn.ReLU(), nn.Conv2d(ch, ch, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * self.body(x)


class SuperResolver(nn.Module):
    """EDSR-like upscaler."""

    def __init__(self, ch: int = 64, n_blocks: int = 16, scale: int = 2) -> None:
        super().__init__()
        block = ResBlock(ch)
        self.first = nn.Conv2d(3, ch, 3, padding=1)
        self.trunk = nn.Sequential(*(block for _ in range(n_blocks)))  # SICK
        self.upsample = nn.Sequential(nn.Conv2d(ch, 3 * scale ** 2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, low: Tensor) -> Tensor:
        h = self.first(low)
        return self.upsample(h + self.trunk(h))
