import math

import torch
import torch.nn.functional as F


class CosineSchedule:
    """Sets the rate for the step that comes."""

    def __init__(self, optimizer, peak, total):
        self.optimizer, self.peak, self.total, self.n = optimizer, peak, total, 0

    def step(self):
        lr = 0.5 * self.peak * (1 + math.cos(math.pi * self.n / self.total))
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.n += 1
        return lr


def train(model, loader, epochs=2, peak=1e-3):
    opt = torch.optim.SGD(model.parameters(), lr=peak)
    schedule = CosineSchedule(opt, peak, epochs * len(loader))
    for _ in range(epochs):
        total = 0.0
        for x, y in loader:
            schedule.step()
            opt.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            opt.step()
            total += loss.item()
        print(total / len(loader), opt.param_groups[0]["lr"])
