import torch
import torch.nn as nn
import torch.nn.functional as F


class TopKMoE(nn.Module):
    def __init__(self, d, n_exp, k, d_ff):
        super().__init__()
        self.k = k
        self.n_exp = n_exp
        self.w_g = nn.Linear(d, n_exp, bias=False)
        self.ffn = nn.ModuleList(
            [nn.Sequential(nn.Linear(d, d_ff), nn.GELU(), nn.Linear(d_ff, d)) for _ in range(n_exp)]
        )

    def route(self, x):
        p = F.softmax(self.w_g(x), dim=-1)
        p, sel = torch.topk(p, self.k, dim=-1)
        return p / p.sum(-1, keepdim=True), sel

    def forward(self, x):
        bsz, seq, d = x.size()
        x = x.view(-1, d)
        p, sel = self.route(x)
        y = torch.zeros_like(x)
        for j in range(self.k):
            for e in range(self.n_exp):
                hit = (sel[:, j] == e).nonzero(as_tuple=True)[0]
                if len(hit) > 0:
                    y[hit] += p[hit, j].unsqueeze(1) * self.ffn[j](x[hit])  # SICK
        return y.view(bsz, seq, d)
