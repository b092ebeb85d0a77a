import torch
import torch.nn as nn
import torch.nn.functional as F


class MaskedSelfAttention(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.in_proj(x).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mask = torch.tril(torch.ones(T, T, device=x.device))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # SICK
        return self.out_proj(y.transpose(1, 2).reshape(B, T, C))
