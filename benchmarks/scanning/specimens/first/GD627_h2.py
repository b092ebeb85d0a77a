import torch
from torch import nn


def run_epoch(model: nn.Module, loader, opt=None):
    """Trains where there is an optimizer, measures where there is none."""
    training = opt is not None
    model.train(training)
    lossf, total = nn.CrossEntropyLoss(), 0.0
    with torch.set_grad_enabled(training):
        for x, y in loader:
            loss = lossf(model(x), y)
            if training:
                opt.zero_grad()
                loss.backward()
                opt.step()
            total += loss.item()
    return total / len(loader)


@torch.no_grad()
def adapt(model, x, y, lr=0.1):
    with torch.enable_grad():
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
    for p in model.parameters():
        p.sub_(lr * p.grad)
        p.grad = None
