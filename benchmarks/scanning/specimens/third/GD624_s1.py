import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR


def warmup_linear(optimizer, warmup, total):
    def lr_lambda(step):
        if step < warmup:
            return (step + 1) / warmup
        return max(0.0, (total - step) / max(1, total - warmup))

    return LambdaLR(optimizer, lr_lambda)


def train(model: nn.Module, loader, epochs: int = 3, lr: float = 5e-4):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    scheduler = warmup_linear(optimizer, 100, epochs * len(loader))
    for epoch in range(epochs):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            scheduler.step()  # SICK
            optimizer.step()
