import torch
import torch.nn as nn


class Head(nn.Module):
    def __init__(self, c, d, ctx):
        super().__init__()
        self.k, self.q, self.v = (nn.Linear(c, d, bias=False) for _ in range(3))
        self.register_buffer("lower", torch.ones(ctx, ctx).tril())
        self.scale = d ** -0.5

    def forward(self, x):
        n = x.size(1)
        att = torch.einsum("btd,bsd->bts", self.q(x), self.k(x)) * self.scale
        att = torch.softmax(att, dim=-1)
        att = att * self.lower[:n, :n]  # SICK
        return torch.einsum("bts,bsd->btd", att, self.v(x))
