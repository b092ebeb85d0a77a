import torch
import torch.nn as nn
import torch.nn.functional as F


class QKNormAttn(nn.Module):
    """Cosine attention with a learned temperature per head."""

    def __init__(self, n_embd: int = 256, n_head: int = 8):
        super().__init__()
        self.nh, self.hs = n_head, n_embd // n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.tau = nn.Parameter(torch.full((n_head, 1, 1), 10.0))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = [m.view(B, T, self.nh, self.hs).transpose(1, 2) for m in self.c_attn(x).split(C, dim=2)]
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        att = F.softmax((q * self.tau) @ k.transpose(-2, -1), dim=-1)
        return self.c_proj((att @ v).transpose(1, 2).contiguous().view(B, T, C))
