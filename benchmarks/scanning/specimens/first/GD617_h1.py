import torch
from torch import nn


class Scaled:
    """Wraps what a mixed-precision update consists of."""

    def __init__(self, opt):
        self.opt = opt
        self.inner = torch.amp.GradScaler("cuda")

    def __call__(self, loss):
        self.opt.zero_grad(set_to_none=True)
        self.inner.scale(loss).backward()
        self.inner.step(self.opt)
        self.inner.update()


def train(gen, loader):
    update = Scaled(torch.optim.Adam(gen.parameters()))
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = nn.functional.l1_loss(gen(x), y)
        update(loss)
