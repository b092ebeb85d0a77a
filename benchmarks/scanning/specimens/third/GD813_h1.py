import torch
import torch.nn as nn


class NeighbourAttention(nn.Module):
    """Nodes attend to their neighbours; a node without any gets zeros."""

    def __init__(self, dim, p=0.1):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.p = p
        self.scale = dim ** -0.5

    def forward(self, x, adj):
        blocked = ~adj.bool()
        scores = self.scale * self.q(x) @ self.k(x).transpose(1, 2)
        scores = scores.masked_fill(blocked, torch.finfo(scores.dtype).min)
        att = scores.softmax(dim=-1)
        isolated = blocked.all(dim=-1, keepdim=True)
        att = att.masked_fill(isolated, 0.0)
        if self.training and self.p > 0:
            keep = torch.rand_like(att) > self.p
            att = att * keep / (1 - self.p)
        return att @ self.v(x)


if __name__ == "__main__":
    adj = torch.tensor([[[1, 1, 0], [1, 1, 0], [0, 0, 0]]])
    print(NeighbourAttention(4).eval()(torch.randn(1, 3, 4), adj))
