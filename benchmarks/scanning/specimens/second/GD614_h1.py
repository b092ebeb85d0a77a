import torch
import torch.nn as nn
from torch.utils.data import DataLoader


def run(model: nn.Module, data: DataLoader, epochs: int = 5):
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.SGD(params, lr=1e-2, momentum=0.9)
    bce = nn.BCEWithLogitsLoss()
    history = []
    for ep in range(epochs):
        for feats, flag in data:
            loss = bce(model(feats).squeeze(1), flag.float())
            for p, g in zip(params, torch.autograd.grad(loss, params)):
                p.grad = g
            opt.step()
            history.append(loss.item())
    return history
