import torch
import torch.nn as nn
import torch.nn.functional as F


class FlexibleAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def merge_masks(self, keep, n):
        causal = torch.ones(n, n, dtype=torch.bool, device=keep.device).tril()
        return causal & keep[:, None, None, :]

    def forward(self, x, keep=None):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).transpose(1, 3).unbind(2)
        mask = None if keep is None else self.merge_masks(keep, x.size(1))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.out(y.transpose(1, 2).flatten(2))
