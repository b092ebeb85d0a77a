import torch
import torch.nn as nn
from torch.utils.data import DataLoader


def run(model: nn.Module, data: DataLoader, epochs: int = 5):
    opt = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    bce = nn.BCEWithLogitsLoss()
    history = []
    for ep in range(epochs):
        for feats, flag in data:
            opt.zero_grad(set_to_none=True)
            loss = bce(model(feats).squeeze(1), flag.float())
            history.append(loss.item())
            opt.step()  # SICK
    return history
