import torch
import torch.nn.functional as fn
from torch import nn


class StoryLSTM(nn.Module):
    def __init__(self, vocab, size=256):
        super().__init__()
        self.words = nn.Embedding(vocab, size)
        self.cell = nn.LSTM(size, size, batch_first=True)
        self.decoder = nn.Linear(size, vocab)

    def forward(self, seq):
        return self.decoder(self.cell(self.words(seq))[0])

    def nll(self, seq):
        scores = self(seq[:, :-1])
        return fn.cross_entropy(scores.transpose(1, 2), seq[:, 1:])
