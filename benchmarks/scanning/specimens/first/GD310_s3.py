import torch
from torch import nn


def split_heads(t: torch.Tensor, heads: int) -> torch.Tensor:
    batch, length, width = t.shape
    t = t.view(batch, length, heads, width // heads)
    t = torch.swapaxes(t, 1, 2)
    return t.view(batch * heads, length, width // heads)  # SICK


class ReaderAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.o = nn.Linear(width, width)

    def forward(self, question, passage):
        batch, length, width = question.shape
        q = split_heads(self.q(question), self.heads)
        k = split_heads(self.k(passage), self.heads)
        v = split_heads(self.v(passage), self.heads)
        w = torch.softmax(q.bmm(k.transpose(1, 2)) / (width // self.heads) ** 0.5, dim=-1)
        ctx = w.bmm(v).reshape(batch, self.heads, length, -1)
        return self.o(ctx.transpose(1, 2).reshape(batch, length, width))
