import math

import torch.nn as nn
import torch.nn.functional as F


class PrescaledAttention(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_embd, self.n_head = n_embd, n_head
        self.wqkv = nn.Linear(n_embd, 3 * n_embd)
        self.wo = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.wqkv(x).split(self.n_embd, dim=-1)
        shape = (b, t, self.n_head, self.n_embd // self.n_head)
        q = q.view(shape).transpose(1, 2) / math.sqrt(shape[-1])
        k, v = k.view(shape).transpose(1, 2), v.view(shape).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)
        return self.wo(y.transpose(1, 2).flatten(2))
