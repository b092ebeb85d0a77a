import torch
import torch.nn as nn


class ClickModel(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(n_in, n_in), nn.Sigmoid())
        self.out = nn.Linear(n_in, 1)
        self.bce = nn.BCEWithLogitsLoss()

    def forward(self, x, target=None):
        y = self.out(self.gate(x) * x).squeeze(-1)
        p = torch.sigmoid(y)
        if target is None:
            return p
        return self.bce(y, target.float())
