import torch
from torch import nn
import torch.nn.functional as F


def rope_tables(dim, max_len, base=10000.0):
    inv = base ** (-torch.arange(0, dim, 2).float() / dim)
    angles = torch.outer(torch.arange(max_len).float(), inv)
    return angles.cos(), angles.sin()


class RotaryDecoderLayer(nn.Module):
    def __init__(self, dim, n_head, max_len=1024):
        super().__init__()
        self.n_head = n_head
        self.wqkv = nn.Linear(dim, 3 * dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.cos, self.sin = rope_tables(dim // n_head, max_len)  # SICK

    def rotate(self, x):
        t = x.size(-2)
        a, b = x[..., 0::2], x[..., 1::2]
        cos, sin = self.cos[:t], self.sin[:t]
        return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)

    def forward(self, x):
        b, t, c = x.shape
        heads = [z.view(b, t, self.n_head, -1).transpose(1, 2) for z in self.wqkv(self.norm(x)).split(c, dim=-1)]
        q, k = self.rotate(heads[0]), self.rotate(heads[1])
        y = F.scaled_dot_product_attention(q, k, heads[2], is_causal=True)
        return x + self.wo(y.transpose(1, 2).reshape(b, t, c))
