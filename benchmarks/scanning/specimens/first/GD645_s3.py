import torch
import torch.nn as nn


class PairRanker(nn.Module):
    def __init__(self, users, items, dim=32):
        super().__init__()
        self.u, self.i = nn.Embedding(users, dim), nn.Embedding(items, dim)

    def forward(self, user, good, other):
        e = self.u(user)
        gap = (e * (self.i(good) - self.i(other))).sum(-1)
        return -nn.functional.logsigmoid(gap)


def fit(net, triples, epochs=5):
    opt = torch.optim.Adagrad(net.parameters(), lr=0.1)
    for _ in range(epochs):
        for part in triples.split(256):
            opt.zero_grad()
            bpr = net(*part.unbind(1))
            reg = 1e-4 * sum(p.square().sum() for p in net.parameters())
            total = bpr + reg
            total.backward()  # SICK
            opt.step()
