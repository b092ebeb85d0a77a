import torch
import torch.nn as nn


class RenormHead(nn.Module):
    def __init__(self, c, d, ctx):
        super().__init__()
        self.k, self.q, self.v = (nn.Linear(c, d, bias=False) for _ in range(3))
        self.register_buffer("lower", torch.ones(ctx, ctx).tril())
        self.scale = d ** -0.5

    def forward(self, x):
        n = x.size(1)
        low = self.lower[:n, :n]
        att = torch.einsum("btd,bsd->bts", self.q(x), self.k(x)) * self.scale
        att = torch.softmax(att.masked_fill(low == 0, -torch.inf), dim=-1)
        att = torch.dropout(att, 0.1, self.training)
        att = att * low
        return torch.einsum("bts,bsd->btd", att, self.v(x))
