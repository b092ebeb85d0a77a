import torch
import torch.nn as nn
import torch.nn.functional as F


class CharGRU(nn.Module):
    def __init__(self, vocab_size, dim=128, layers=2):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.rnn = nn.GRU(dim, dim, layers, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    @torch.no_grad()  # SICK
    def encode(self, idx):
        hidden, _ = self.rnn(self.embed(idx))
        return hidden

    def forward(self, idx, targets=None):
        logits = self.out(self.encode(idx))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss
