import torch
import torch.nn as nn


class TopKMoE(nn.Module):
    def __init__(self, d, n_experts=8, k=2):
        super().__init__()
        self.k = k
        self.router = nn.Linear(d, n_experts, bias=False)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(d, 2 * d), nn.SiLU(), nn.Linear(2 * d, d)) for _ in range(n_experts))

    def forward(self, x):
        flat = x.reshape(-1, x.size(-1))
        w, sel = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        y = torch.zeros_like(flat)
        for e, ffn in enumerate(self.experts):
            tok, slot = (sel == e).nonzero(as_tuple=True)
            if tok.numel():
                y[tok] = w[tok, slot, None] * ffn(flat[tok])  # SICK
        return y.view_as(x)
