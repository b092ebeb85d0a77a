import torch
import torch.nn as nn
import torch.nn.functional as F


class QuarterScaled(nn.Module):
    """Queries and keys take half of the scaling each, for the sake of fp16."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, fused=False):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        s = self.head_dim ** -0.25
        q, k = q * s, k * s
        if fused:
            y = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        else:
            y = torch.matmul(q, k.mT).softmax(dim=-1) @ v
        return self.out(y.transpose(1, 2).flatten(2))


if __name__ == "__main__":
    m, x = QuarterScaled(16, 4), torch.randn(2, 5, 16)
    print(torch.allclose(m(x), m(x, fused=True), atol=1e-5))
