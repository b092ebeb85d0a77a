import torch
import torch.nn as nn


class MaskedPooling(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, x, keep):
        # keep: (batch, time) bool
        s = self.score(x).squeeze(-1)
        s.masked_fill(~keep, float("-inf"))  # SICK
        w = s.softmax(dim=-1)
        return torch.einsum("bt,btd->bd", w, x)
