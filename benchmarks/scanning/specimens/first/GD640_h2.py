import torch
from torch import nn


class Branches(nn.Module):
    def __init__(self, d, sizes):
        super().__init__()
        self.last = nn.LogSoftmax(dim=-1)
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(d, s), self.last) for s in sizes)
        self.nll = nn.NLLLoss()

    def forward(self, x):
        return [head(x) for head in self.heads]

    def training_step(self, batch):
        x, *ys = batch
        logits = self(x)
        return sum(self.nll(out, y) for out, y in zip(logits, ys))


if __name__ == "__main__":
    m = Branches(5, (2, 3))
    print(m.training_step((torch.randn(4, 5), torch.randint(0, 2, (4,)), torch.randint(0, 3, (4,)))))
