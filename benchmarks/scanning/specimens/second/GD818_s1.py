import torch
import torch.nn as nn
import torch.nn.functional as F


class CrossAttention(nn.Module):
    def __init__(self, dim_q, dim_kv, dim):
        super().__init__()
        self.q = nn.Linear(dim_q, dim)
        self.kv = nn.Linear(dim_kv, 2 * dim)
        self.dim = dim

    def forward(self, x, ctx):
        k, v = self.kv(ctx).chunk(2, dim=-1)
        sim = torch.bmm(self.q(x), k.transpose(1, 2)) / self.dim ** 0.5
        attn = F.softmax(sim, dim=1)  # SICK
        return torch.bmm(attn, v)
