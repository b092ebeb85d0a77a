import torch
from torch import nn
from torch.nn import functional as fn


class FoldedAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        # 3 x (b, heads, t, d)
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = (s.reshape(b * self.heads, t, -1) for s in (q, k, v))
        y = fn.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = y.view(b, self.heads, t, c // self.heads)
        return self.merge(torch.cat(y.unbind(dim=1), dim=-1))


class Sublayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.ln = nn.LayerNorm(dim)
        self.attn = FoldedAttention(dim, heads)

    def forward(self, x):
        return x + self.attn(self.ln(x))
