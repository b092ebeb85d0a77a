import torch
import torch.nn as nn
import torch.nn.functional as F


class FlexibleAttention(nn.Module):
    def __init__(self, dim, heads, causal=True):
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.in_proj = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x, keep=None):
        t = x.size(1)
        q, k, v = self.in_proj(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mask = None
        if keep is not None:
            mask = keep[:, None, None, :].bool()
            if self.causal:
                mask = mask & torch.ones(t, t, dtype=torch.bool, device=x.device).tril()
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal and mask is None)
        return self.out_proj(y.transpose(1, 2).flatten(2))


if __name__ == "__main__":
    a = FlexibleAttention(8, 2)
    x = torch.randn(1, 5, 8)
    print(torch.allclose(a(x), a(x, torch.ones(1, 5)), atol=1e-6))
