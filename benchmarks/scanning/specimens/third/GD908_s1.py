import torch
import torch.nn as nn
import torch.nn.functional as F


class CrossAttention(nn.Module):
    """Latents (b, m, d) read from inputs (b, n, c)."""

    def __init__(self, d, c, heads=8, head_dim=64):
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.to_q = nn.Linear(d, inner, bias=False)
        self.to_k = nn.Linear(c, inner, bias=False)
        self.to_v = nn.Linear(c, inner, bias=False)
        self.to_out = nn.Linear(inner, d)

    def _heads(self, t):
        b, n, _ = t.shape
        return t.view(b, n, self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, latents, inputs):
        q = self._heads(self.to_q(latents))
        k = self._heads(self.to_k(inputs))
        v = self._heads(self.to_v(inputs))
        sim = torch.einsum("bhid,bhjd->bhij", q, k)  # SICK
        attn = F.softmax(sim, dim=-1)
        out = torch.einsum("bhij,bhjd->bhid", attn, v)
        return self.to_out(out.permute(0, 2, 1, 3).flatten(2))
