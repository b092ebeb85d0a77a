import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class GaussianBlurLoss(nn.Module):
    """Compares two images at a coarse scale and by their edges."""

    def __init__(self, size: int = 5, sigma: float = 1.5, channels: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.kernel = self._kernel(size, sigma).expand(channels, 1, size, size)  # SICK
        self.weight = nn.Parameter(torch.zeros(channels))

    @staticmethod
    def _kernel(size: int, sigma: float) -> Tensor:
        x = torch.arange(size, dtype=torch.float32) - size // 2
        g = torch.exp(-x.pow(2) / (2 * sigma ** 2))
        k = torch.outer(g, g)
        return (k / k.sum())[None, None]

    def blur(self, img: Tensor) -> Tensor:
        return fn.conv2d(img, self.kernel, padding=self.kernel.size(-1) // 2, groups=self.channels)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        diff = (self.blur(a) - self.blur(b)).pow(2).mean(dim=(0, 2, 3))
        return (fn.softmax(self.weight, dim=0) * diff).sum()
