import functools

import torch
import torch.nn as nn
import torch.nn.functional as F


def in_eval_mode(method):
    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        mode = self.training
        self.eval()
        try:
            return method(self, *args, **kwargs)
        finally:
            self.train(mode)
    return wrapper


class SongLM(nn.Module):
    def __init__(self, vocab, dim=64, p=0.1):
        super().__init__()
        self.e = nn.Embedding(vocab, dim)
        self.g = nn.GRU(dim, dim, 2, dropout=p, batch_first=True)
        self.h = nn.Linear(dim, vocab)

    def forward(self, x, y=None):
        z = self.h(self.g(self.e(x))[0])
        return z if y is None else F.cross_entropy(z.flatten(0, 1), y.flatten())

    @in_eval_mode
    @torch.no_grad()
    def generate(self, x, n, stop):
        for _ in range(n):
            t = self(x[:1])[:, -1].softmax(-1).multinomial(1)
            if t.item() == stop:
                return x
            x = torch.cat([x[:1], t], dim=1)
        return x
