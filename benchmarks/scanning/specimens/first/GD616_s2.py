import torch
from torch import nn
from torch.cuda.amp import GradScaler, autocast


class AmpTrainer:
    def __init__(self, net: nn.Module, lr: float, clip: float):
        self.net, self.clip = net, clip
        self.opt = torch.optim.AdamW(net.parameters(), lr=lr)
        self.scaler = GradScaler()
        self.crit = nn.BCEWithLogitsLoss()

    def clip_grads(self):
        nn.utils.clip_grad_value_(self.net.parameters(), self.clip)  # SICK

    def step(self, x, y):
        self.opt.zero_grad()
        with autocast():
            loss = self.crit(self.net(x), y)
        self.scaler.scale(loss).backward()
        self.clip_grads()
        self.scaler.step(self.opt)
        self.scaler.update()
        return loss.detach()

    def fit(self, loader):
        for x, y in loader:
            self.step(x.cuda(), y.cuda())
