import torch
import torch.nn as nn


class StreamingGRU(nn.Module):
    def __init__(self, d_in: int, d_hidden: int, n_out: int):
        super().__init__()
        self.gru = nn.GRU(d_in, d_hidden, batch_first=True)
        self.fc = nn.Linear(d_hidden, n_out)
        self.hidden = None

    def forward(self, x):
        h0 = self.hidden
        if h0 is not None and h0.size(1) != x.size(0):
            h0 = None
        y, h = self.gru(x, h0)
        self.hidden = h.detach()  # SICK
        return self.fc(y)
