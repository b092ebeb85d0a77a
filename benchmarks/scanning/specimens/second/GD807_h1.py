import torch
import torch.nn as nn


class SequenceGRU(nn.Module):
    def __init__(self, d_in: int, d_hidden: int, n_out: int):
        super().__init__()
        self.gru = nn.GRU(d_in, d_hidden, batch_first=True)
        self.fc = nn.Linear(d_hidden, n_out)
        self.hidden = None

    def forward(self, x, state=None):
        y, h = self.gru(x, state)
        self.hidden = h.detach()
        return self.fc(y), h

    def summary(self):
        return None if self.hidden is None else self.hidden[-1].norm(dim=-1)
