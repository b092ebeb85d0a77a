import torch
from torch import nn
from torch.nn.functional import log_softmax


class Padded(nn.Module):
    def __init__(self, vocab, width, pad):
        super().__init__()
        self.pad = pad
        self.embed = nn.Embedding(vocab, width, padding_idx=pad)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids):
        logits = self.head(self.gru(self.embed(ids[:, :-1]))[0])
        gold = ids[:, 1:]
        real = gold.ne(self.pad)
        nll = -log_softmax(logits, -1).gather(-1, gold.unsqueeze(-1)).squeeze(-1)
        return logits, torch.where(real, nll, nll.new_zeros(())).sum() / real.sum().clamp(min=1)
