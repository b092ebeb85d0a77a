import torch
import torch.nn as nn
import torch.nn.functional as F


class CrossBlock(nn.Module):
    """Both masks are True where there is something to read."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.self_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.n1, self.n2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x, memory, x_valid, memory_valid):
        h = self.n1(x)
        x = x + self.self_attn(h, h, h, key_padding_mask=x_valid.logical_not(), need_weights=False)[0]

        q = self.q(self.n2(x)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(memory).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=memory_valid[:, None, None, :])
        return x + y.transpose(1, 2).flatten(2)


if __name__ == "__main__":
    valid = torch.tensor([[True, True, False]])
    print(CrossBlock(8, 2)(torch.randn(1, 3, 8), torch.randn(1, 3, 8), valid, valid).shape)
