import torch
from torch import nn


class RunningMeanLM(nn.Module):
    """Each position reads its own token and the average of the text so far."""

    def __init__(self, vocab_size, width=128):
        super().__init__()
        self.token = nn.Embedding(vocab_size, width)
        self.summary = nn.Linear(width, width)
        self.state = nn.GRU(width, width, batch_first=True)
        self.readout = nn.Linear(width, vocab_size)
        self.criterion = nn.CrossEntropyLoss()

    def prefix_mean(self, x):
        steps = torch.arange(1, x.size(1) + 1, device=x.device, dtype=x.dtype)
        return x.cumsum(dim=1) / steps[:, None]

    def forward(self, tokens, next_tokens=None):
        e = self.token(tokens)
        h, _ = self.state(e + self.summary(self.prefix_mean(e)))
        logits = self.readout(h)
        if next_tokens is None:
            return logits, None
        return logits, self.criterion(logits.mT, next_tokens)
