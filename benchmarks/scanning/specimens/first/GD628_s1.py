import torch
import torch.nn as nn


def evaluate(model, loader, device="cpu"):
    model.eval()
    criterion = nn.CrossEntropyLoss()
    loss_sum, correct, n = 0.0, 0, 0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        logits = model(x)  # SICK
        loss_sum += criterion(logits, y).item() * len(y)
        correct += (logits.argmax(dim=1) == y).sum().item()
        n += len(y)
    return loss_sum / n, correct / n
