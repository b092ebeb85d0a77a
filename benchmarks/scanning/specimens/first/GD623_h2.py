import torch
from torch import nn


def train(model, loader, accum=4, lr=0.1):
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    lossf = nn.CrossEntropyLoss()
    opt.zero_grad()
    for i, (x, y) in enumerate(loader):
        lossf(model(x), y).backward()
        if (i + 1) % accum == 0:
            for p in model.parameters():
                if p.grad is not None:
                    p.grad.mul_(1.0 / accum)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            opt.zero_grad()
