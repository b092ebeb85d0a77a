import torch
from torch import nn


class StartTokenLM(nn.Module):
    """Feeds <bos> followed by all but the last token, and scores the whole text."""

    def __init__(self, vocab: int, dim: int, bos: int):
        super().__init__()
        self.bos = bos
        self.embed = nn.Embedding(vocab, dim)
        self.core = nn.LSTM(dim, dim, batch_first=True)
        self.project = nn.Linear(dim, vocab)

    def forward(self, text):
        start = text.new_full((text.size(0), 1), self.bos)
        fed = torch.cat((start, text[:, :-1]), dim=1)
        states, _ = self.core(self.embed(fed))
        logits = self.project(states)
        loss = nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), text.reshape(-1))
        return logits, loss
