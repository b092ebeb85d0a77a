import torch
from torch import nn


class Normed(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.bank = nn.Embedding(n, d)
        self.register_buffer("counts", torch.zeros(n))
        with torch.no_grad():
            self.bank.weight.div_(self.bank.weight.norm(dim=1, keepdim=True))

    def forward(self, x):
        sims = x @ self.bank.weight.t()
        hit = sims.argmax(-1)
        if self.training:
            torch.add(self.counts, torch.bincount(hit.flatten(), minlength=len(self.counts)), out=self.counts)
        return sims


def warm_up(model, shape=(1, 16)):
    """The first call pays for the compilation."""
    with torch.no_grad():
        model(torch.zeros(shape))
    return model
