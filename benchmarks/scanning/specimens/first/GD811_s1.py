import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, dim, num_heads=8):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).reshape(B, T, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        mask = torch.ones(T, T, device=x.device, dtype=q.dtype).tril()
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # SICK
        return self.proj(out.transpose(1, 2).reshape(B, T, C))
