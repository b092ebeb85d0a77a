from torch import nn
import torch.nn.functional as F


class ClampedLinear(nn.Linear):
    def forward(self, x):
        return super().forward(x).clamp(-10.0, 10.0)


class PartialConv(nn.Conv2d):
    """Convolution that leaves holes out and rescales what is left."""

    def forward(self, x, mask):
        out = nn.Conv2d.forward(self, x * mask)
        window = mask.new_ones(1, 1, *self.kernel_size)
        seen = F.conv2d(mask, window, stride=self.stride, padding=self.padding)
        total = window.numel()
        return out * (total / seen.clamp(min=1.0)) * (seen > 0), (seen > 0).to(x.dtype)


class Inpainter(nn.Module):
    def __init__(self, ch=32):
        super().__init__()
        self.enter = PartialConv(3, ch, 3, padding=1, bias=False)
        self.out = ClampedLinear(ch, 3)

    def forward(self, image, mask):
        h, seen = self.enter(image, mask)
        return self.out(h.relu().movedim(1, -1)).movedim(-1, 1), seen
