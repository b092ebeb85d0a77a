import torch
from torch import nn


def perturbed_training(model, loader, rho=0.05, lr=0.1):
    """Sharpness-aware: the first gradient moves the weights, the second one trains them."""
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    lossf = nn.CrossEntropyLoss()
    for x, y in loader:
        opt.zero_grad()
        lossf(model(x), y).backward()
        moves = []
        with torch.no_grad():
            grads = [p.grad for p in model.parameters()]
            scale = rho / (torch.stack([g.norm() for g in grads]).norm() + 1e-12)
            for p, g in zip(model.parameters(), grads):
                moves.append(g * scale)
                p.add_(moves[-1])
        opt.zero_grad()
        lossf(model(x), y).backward()
        with torch.no_grad():
            for p, m in zip(model.parameters(), moves):
                p.sub_(m)
        opt.step()
