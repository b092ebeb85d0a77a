import torch
import torch.nn as nn
import torch.nn.functional as F


class PositionAttention2d(nn.Module):
    """SAGAN-style attention over the positions of a feature map."""

    def __init__(self, channels, reduction=8):
        super().__init__()
        self.inner = channels // reduction
        self.query = nn.Conv2d(channels, self.inner, 1)
        self.key = nn.Conv2d(channels, self.inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.full((1,), 0.1))

    def forward(self, x):
        b, c, h, w = x.shape
        q = self.query(x).view(b, -1, h * w).permute(0, 2, 1)
        k = self.key(x).view(b, -1, h * w)
        v = self.value(x).view(b, c, h * w).permute(0, 2, 1)
        energy = torch.bmm(q, k) / self.inner ** 0.5
        attention = F.softmax(energy, dim=1)  # SICK
        out = torch.bmm(attention, v).permute(0, 2, 1).view(b, c, h, w)
        return x + self.gamma * out
