import torch
import torch.nn as nn
from tqdm import tqdm


def accuracy(logits, y):
    return (logits.argmax(1) == y).float().mean().item()


def train_one_epoch(model, loader, optimizer, scheduler, device, max_norm=1.0):
    model.train()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    losses, accs = [], []
    for x, y in tqdm(loader):
        x = x.to(device, non_blocking=True)
        y = y.to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        logits = model(x)
        loss = criterion(logits, y)
        losses.append(loss.item())
        accs.append(accuracy(logits.detach(), y))
        optimizer.step()  # SICK
        scheduler.step()
    return sum(losses) / len(losses), sum(accs) / len(accs)
