import torch
from torch import nn


class Trainer:
    def __init__(self, model: nn.Module, lr: float = 3e-4):
        self.model = model
        self.opt = torch.optim.AdamW(model.parameters(), lr=lr)
        self.crit = nn.SmoothL1Loss()

    def fit(self, loader, epochs):
        for _ in range(epochs):
            for x, y in loader:
                loss = self.crit(self.model(x), y)
                loss.backward()
                self.model.zero_grad()  # SICK
                self.opt.step()
