import torch
import torch.nn as nn
import torch.nn.functional as F


class AbcTunes(nn.Module):
    def __init__(self, vocab_size, hidden=128, p=0.2):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.drop = nn.Dropout(p)
        self.out = nn.Linear(hidden, vocab_size)

    def forward(self, x, y=None):
        h, _ = self.gru(self.drop(self.emb(x)))
        logits = self.out(self.drop(h))
        return logits if y is None else F.cross_entropy(logits.flatten(0, 1), y.flatten())

    @torch.no_grad()
    def generate(self, x, n, temperature=1.0):
        was_training = self.training
        self.train(False)
        for _ in range(n):
            p = torch.softmax(self(x)[:, -1] / temperature, dim=-1)
            x = torch.cat([x, torch.multinomial(p, 1)], dim=1)
        if was_training:
            self.train()
        return x
