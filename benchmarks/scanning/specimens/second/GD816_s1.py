import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention as sdpa


class PaddedCausalAttention(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.proj_in = nn.Linear(d, d * 3)
        self.proj_out = nn.Linear(d, d)

    def forward(self, x, keep):
        b, t, d = x.shape
        q, k, v = (z.unflatten(-1, (self.h, -1)).transpose(1, 2) for z in self.proj_in(x).split(d, -1))
        pad = keep[:, None, None, :].expand(b, 1, t, t)
        y = sdpa(q, k, v, attn_mask=pad, is_causal=True)  # SICK
        return self.proj_out(y.transpose(1, 2).flatten(2))
