import torch
from torch import nn


class Runner:
    def __init__(self, model: nn.Module):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters())
        self.crit = nn.SmoothL1Loss()

    def backprop(self, loss):
        self.opt.zero_grad()
        loss.backward()
        return loss.detach()

    def run(self, loader):
        self.model.train()
        seen = []
        for x, y in loader:
            seen.append(self.backprop(self.crit(self.model(x), y)))
            self.opt.step()
        return torch.stack(seen).mean()


@torch.no_grad()
def evaluate(runner, loader):
    runner.model.eval()
    return sum(runner.crit(runner.model(x), y).item() for x, y in loader)
