import torch
import torch.nn as nn
import torch.nn.functional as F


class GPTAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size=64):
        super().__init__()
        self.n_head = n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.c_proj = nn.Linear(n_embd, n_embd, bias=False)
        causal = torch.triu(torch.ones(block_size, block_size), diagonal=1).bool()
        self.register_buffer("causal", causal, persistent=False)

    def forward(self, x):
        b, t, c = x.shape
        heads = [p.view(b, t, self.n_head, -1).transpose(1, 2) for p in self.c_attn(x).split(c, dim=2)]
        y = F.scaled_dot_product_attention(*heads, attn_mask=self.causal[:t, :t])  # SICK
        y = y.transpose(1, 2).contiguous().view(b, t, c)
        return self.c_proj(y)
