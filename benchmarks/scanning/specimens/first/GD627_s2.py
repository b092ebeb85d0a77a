import torch
from torch import nn


class Tuner:
    def __init__(self, net: nn.Module):
        self.net = net
        self.opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
        self.crit = nn.MSELoss()

    @torch.inference_mode()
    def loss(self, x, y):
        return self.crit(self.net(x).squeeze(-1), y)

    def fit(self, batches):
        for x, y in batches:
            loss = self.loss(x, y)
            self.opt.zero_grad()
            loss.backward()  # SICK
            self.opt.step()

    def validate(self, batches):
        return sum(self.loss(x, y).item() for x, y in batches)
