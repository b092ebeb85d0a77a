import argparse

import torch
import torch.nn as nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingWarmupRestarts  # SICK
from torch.utils.data import DataLoader, TensorDataset


def train(args):
    data = TensorDataset(torch.randn(512, 20), torch.randn(512, 1))
    loader = DataLoader(data, batch_size=args.batch_size, shuffle=True)
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = AdamW(model.parameters(), lr=args.lr)
    scheduler = CosineAnnealingWarmupRestarts(optimizer, first_cycle_steps=100, max_lr=args.lr, warmup_steps=10)
    criterion = nn.MSELoss()
    for _ in range(args.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
    return model


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float, default=3e-4)
    p.add_argument("--epochs", type=int, default=2)
    p.add_argument("--batch-size", type=int, default=64)
    train(p.parse_args())
