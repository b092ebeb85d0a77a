import torch
from torch import nn


class Callbacks:
    def __init__(self, model):
        self.opt = torch.optim.SGD(model.parameters(), lr=0.1)
        self.sched = torch.optim.lr_scheduler.StepLR(self.opt, 10)
        self.after_epoch = [self.sched.step]
        self.mode = {True: model.train, False: model.eval}


def run(model: nn.Module, loader, epochs: int = 20):
    cb = Callbacks(model)
    for _ in range(epochs):
        cb.mode[True]()
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            cb.opt.zero_grad()
            loss.backward()
            cb.opt.step()
        for f in cb.after_epoch:
            f()
    cb.mode[False]()
    return model
