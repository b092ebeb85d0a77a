import torch
import torch.nn as nn
import torch.nn.functional as F


def extend_mask(attention_mask, dtype):
    """(batch, keys) of ones and zeros to the additive form (batch, 1, 1, keys)."""
    ones_and_zeros = attention_mask[:, None, None, :].to(dtype)
    return ones_and_zeros.sub(1.0).mul(torch.finfo(dtype).max)


class EncoderLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.proj_in = nn.Linear(width, 3 * width)
        self.proj_out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x, attention_mask):
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.proj_in(x).chunk(3, -1))
        mask = extend_mask(attention_mask, q.dtype)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.norm(x + self.proj_out(y.transpose(1, 2).flatten(2)))
