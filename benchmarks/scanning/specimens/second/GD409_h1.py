from contextlib import contextmanager
import torch
import torch.nn as nn
import torch.nn.functional as F


@contextmanager
def evaluating(m):
    before = m.training
    m.eval()
    try:
        yield m
    finally:
        m.train(before)


class TaleModel(nn.Module):
    def __init__(self, vocab, hidden=200):
        super().__init__()
        self.emb = nn.Embedding(vocab, hidden)
        self.lstm = nn.LSTM(hidden, hidden, num_layers=2, dropout=0.3, batch_first=True)
        self.proj = nn.Linear(hidden, vocab)

    def forward(self, x):
        return self.proj(self.lstm(self.emb(x))[0])

    def loss(self, batch):
        x, y = batch[:, :-1], batch[:, 1:]
        return F.cross_entropy(self(x).reshape(-1, self.proj.out_features), y.reshape(-1))

    @torch.no_grad()
    def generate(self, x, n=50):
        with evaluating(self):
            for _ in range(n):
                p = F.softmax(self(x)[:, -1], dim=-1)
                x = torch.cat((x, torch.multinomial(p, 1)), dim=1)
        return x
