import torch
import torch.nn as nn
import torch.nn.functional as F


class IncrementalAttention(nn.Module):
    def __init__(self, d_model, n_heads, max_positions=128):
        super().__init__()
        self.n_heads = n_heads
        self.wqkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.wo = nn.Linear(d_model, d_model, bias=False)
        future = torch.ones(max_positions, max_positions, dtype=torch.bool).triu(diagonal=1)
        self.register_buffer("future", future)

    def forward(self, x, memory=None):
        q, k, v = [
            t.unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for t in self.wqkv(x).chunk(3, dim=2)
        ]
        if memory is not None:
            k = torch.cat([memory[0], k], dim=-2)
            v = torch.cat([memory[1], v], dim=-2)
        seen = k.shape[-2]
        start = seen - q.shape[-2]
        visible = self.future[start:seen, :seen].logical_not()
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        return self.wo(out.transpose(1, 2).flatten(2)), (k, v)
