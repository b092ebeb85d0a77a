import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR


class Learner:
    def __init__(self, net: nn.Module, steps: int, max_lr: float = 1e-2):
        self.net = net
        self.opt = torch.optim.AdamW(net.parameters(), lr=max_lr)
        self.lr_sched = OneCycleLR(self.opt, max_lr=max_lr, total_steps=steps + 1)

    def update(self, x, y):
        loss = nn.functional.l1_loss(self.net(x), y)
        self.opt.zero_grad()
        loss.backward()
        self.lr_sched.step()  # SICK
        self.opt.step()
        return loss.item()

    def fit(self, loader):
        for x, y in loader:
            self.update(x, y)
