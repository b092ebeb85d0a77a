import torch
import torch.nn as nn


class BiAttentionBTHD(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.h = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.o = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.qkv(x).view(b, t, 3, self.h, c // self.h).unbind(2)
        att = torch.einsum("bqhd,bkhd->bhqk", q, k) * (c // self.h) ** -0.5
        y = torch.einsum("bhqk,bkhd->bqhd", att.softmax(-1), v)
        return self.o(y.reshape(b, t, c))
