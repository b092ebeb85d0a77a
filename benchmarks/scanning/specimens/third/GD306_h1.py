import torch
import torch.nn as nn


class ConvAttention2d(nn.Module):
    """Attention over the positions of a feature map, channels first."""

    def __init__(self, channels, heads=4):
        super().__init__()
        self.heads = heads
        self.dim = channels // heads
        self.norm = nn.GroupNorm(1, channels)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.to_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        qkv = self.to_qkv(self.norm(x)).chunk(3, dim=1)
        q, k, v = (t.reshape(b, self.heads, self.dim, h * w) for t in qkv)
        sim = torch.einsum("bhdi,bhdj->bhij", q * self.dim ** -0.5, k)
        attn = sim.softmax(dim=-1)
        out = torch.einsum("bhij,bhdj->bhdi", attn, v)
        return x + self.to_out(out.reshape(b, c, h, w))
