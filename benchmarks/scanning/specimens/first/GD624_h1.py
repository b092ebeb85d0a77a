import torch
import torch.nn.functional as F


class Warmup:
    """Sets the rate for the update that comes next, the first one included."""

    def __init__(self, opt, peak, warm):
        self.opt, self.peak, self.warm, self.n = opt, peak, warm, 0

    def step(self):
        self.n += 1
        for group in self.opt.param_groups:
            group["lr"] = self.peak * min(1.0, self.n / self.warm)


def train(model, loader):
    opt = torch.optim.Adam(model.parameters(), lr=0.0)
    scheduler = Warmup(opt, peak=1e-3, warm=100)
    for x, y in loader:
        scheduler.step()
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()
