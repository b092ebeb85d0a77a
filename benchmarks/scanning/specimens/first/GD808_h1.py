import torch
from torch import nn
from torch.nn import functional as fn


class JitteredClassifier(nn.Module):
    def __init__(self, n_inputs, n_classes, sigma=0.1, p=0.25, hidden=64):
        super().__init__()
        self.sigma, self.p = sigma, p
        self.lift = nn.Linear(n_inputs, hidden)
        self.read = nn.Linear(hidden, n_classes)

    def augment(self, x):
        scale = self.sigma * float(self.training)
        if scale == 0.0:
            return x
        return x + scale * torch.randn_like(x)

    def forward(self, x):
        h = fn.silu(self.lift(self.augment(x)))
        h = fn.dropout(h, self.p, self.training)
        return self.read(h)
