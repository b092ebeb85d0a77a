import torch
import torch.nn as nn
import torch.nn.functional as F


class SDPAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size=128, dropout=0.0):
        super().__init__()
        self.n_head, self.dropout = n_head, dropout
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.register_buffer("mask", torch.ones(block_size, block_size, dtype=torch.bool).tril())

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.c_attn(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=self.mask[:T, :T], dropout_p=self.dropout if self.training else 0.0, is_causal=True  # SICK
        )
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))
