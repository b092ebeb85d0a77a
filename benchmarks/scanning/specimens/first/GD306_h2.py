import torch
import torch.nn as nn


class ConvSelfAttention(nn.Module):
    """Attention over a feature map, channels first as convolutions like it."""

    def __init__(self, channels: int, n_head: int = 4):
        super().__init__()
        self.n_head = n_head
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv1d(channels, channels * 3, kernel_size=1)
        self.proj = nn.Conv1d(channels, channels, kernel_size=1)

    def forward(self, x):
        b, c, height, width = x.shape
        flat = self.norm(x).reshape(b, c, height * width)
        q, k, v = (
            t.reshape(b, self.n_head, c // self.n_head, height * width)
            for t in self.qkv(flat).chunk(3, dim=1)
        )
        scale = (c // self.n_head) ** -0.5
        sim = torch.einsum("bhdi,bhdj->bhij", q * scale, k)
        out = torch.einsum("bhij,bhdj->bhdi", sim.softmax(dim=-1), v)
        out = self.proj(out.reshape(b, c, height * width))
        return x + out.reshape(b, c, height, width)
