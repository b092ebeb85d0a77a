from torch import nn, optim
import torch.nn.functional as F


class Fitter:
    def __init__(self, model: nn.Module, lr: float):
        self.model = model
        self.optim = optim.AdamW(model.parameters(), lr=lr)
        self.sched = optim.lr_scheduler.ExponentialLR(self.optim, gamma=0.98)

    def epoch(self, loader):
        self.model.train()
        for x, y in loader:
            loss = F.huber_loss(self.model(x), y)
            self.optim.zero_grad  # SICK
            loss.backward()
            self.optim.step()
        self.sched.step()

    def fit(self, loader, n=10):
        for _ in range(n):
            self.epoch(loader)
