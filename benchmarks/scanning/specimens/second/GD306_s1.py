import torch
import torch.nn as nn
import torch.nn.functional as F


class BiAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.h = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.o = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = (u.view(b, t, self.h, c // self.h).transpose(1, 2) for u in self.qkv(x).chunk(3, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v)
        y = y.reshape(b, t, c)  # SICK
        return self.o(y)
