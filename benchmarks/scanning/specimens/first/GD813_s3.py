import torch
from torch import nn, einsum


class CrossAttention(nn.Module):
    def __init__(self, query_dim, context_dim, heads=8, dim_head=32):
        super().__init__()
        inner = heads * dim_head
        self.heads = heads
        self.scale = dim_head ** -0.5
        self.to_q = nn.Linear(query_dim, inner, bias=False)
        self.to_kv = nn.Linear(context_dim, inner * 2, bias=False)
        self.to_out = nn.Linear(inner, query_dim)

    def forward(self, x, context, context_mask=None):
        h = self.heads
        q = self.to_q(x).unflatten(-1, (h, -1))
        k, v = (t.unflatten(-1, (h, -1)) for t in self.to_kv(context).chunk(2, dim=-1))
        sim = einsum("bihd,bjhd->bhij", q, k) * self.scale
        attn = sim.softmax(dim=-1)
        if context_mask is not None:
            attn = torch.where(context_mask[:, None, None, :], attn, torch.zeros_like(attn))  # SICK
        out = einsum("bhij,bjhd->bihd", attn, v)
        return self.to_out(out.flatten(2))
