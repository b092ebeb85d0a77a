import torch
from torch import nn


class SlotMoE(nn.Module):
    """Every (token, slot) pair has a row of its own, and the slots are added at the end."""

    def __init__(self, width, n_experts=8, k=2):
        super().__init__()
        self.k = k
        self.gate = nn.Linear(width, n_experts)
        self.mlps = nn.ModuleList([nn.Sequential(nn.Linear(width, width), nn.Tanh()) for _ in range(n_experts)])

    def forward(self, x):
        shape = x.shape
        x = x.reshape(-1, shape[-1])
        val, idx = torch.topk(self.gate(x), self.k)
        rows = x.repeat_interleave(self.k, dim=0)
        owner = idx.reshape(-1)
        buf = torch.zeros_like(rows)
        for e in owner.unique().tolist():
            sel = owner == e
            buf[sel] = self.mlps[e](rows[sel])
        buf = buf.view(-1, self.k, shape[-1]) * val.softmax(-1).unsqueeze(-1)
        return buf.sum(dim=1).view(shape)
