import torch
import torch.nn as nn
import torch.nn.functional as F


class SpatialAttention(nn.Module):
    """Self-attention over the pixels of a diffusion UNet's feature map."""

    def __init__(self, channels, num_heads=4, groups=32):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = channels // num_heads
        self.scale = self.head_dim ** -0.5
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x).view(b, c, h * w))
        q, k, v = qkv.view(b, 3, self.num_heads, self.head_dim, h * w).transpose(-2, -1).unbind(1)
        q = q * self.scale
        out = F.scaled_dot_product_attention(q, k, v)  # SICK
        out = out.transpose(-2, -1).reshape(b, c, h * w)
        return x + self.proj(out).view(b, c, h, w)
