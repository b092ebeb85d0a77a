import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 1))
        self.lossf = nn.BCEWithLogitsLoss()

    def forward(self, x):
        return self.layers(x).squeeze(-1)

    def loss(self, batch):
        x, y = batch["features"], batch["label"].float()
        pair = (y, self(x))
        return self.lossf(*pair)  # SICK


def fit(gate, batches):
    opt = torch.optim.SGD(gate.parameters(), lr=0.1)
    for b in batches:
        opt.zero_grad()
        gate.loss(b).backward()
        opt.step()
