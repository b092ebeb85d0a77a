import torch
from torch import nn


def per_task_gradients(model: nn.Module, x, targets, crit):
    """Gradients of each task's loss, for a projection of those in conflict."""
    shared = list(model.parameters())
    z = model(x)
    found = []
    last = len(targets) - 1
    for i, t in enumerate(targets):
        grads = torch.autograd.grad(crit(z, t), shared, retain_graph=i < last)
        found.append(torch.cat([g.flatten() for g in grads]))
    return torch.stack(found)


def train(model, batches, lr=0.01):
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    for x, targets in batches:
        g = per_task_gradients(model, x, targets, nn.functional.mse_loss).mean(0)
        opt.zero_grad()
        for p, part in zip(model.parameters(), g.split([p.numel() for p in model.parameters()])):
            p.grad = part.view_as(p).clone()
        opt.step()
