import torch
import torch.nn.functional as F


def meta_fit(model, loader, lr=0.01):
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    params = list(model.parameters())
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        for p, g in zip(params, torch.autograd.grad(loss, params)):
            p.grad = g
        opt.step()
