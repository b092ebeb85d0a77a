import torch
from torch import nn


class Averager(nn.Module):
    def __init__(self, d_in, n_cls, members=4):
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(d_in, n_cls) for _ in range(members))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x):
        return torch.stack([p(x) for p in self.parts]).mean(0)

    def training_step(self, batch):
        x, y = batch
        return self.loss(self(x), y)

    @torch.no_grad()
    def predict(self, x):
        conf, label = self(x).softmax(dim=1).max(dim=1)
        return label, conf
