import torch
import torch.nn as nn
import torch.nn.functional as F


def make_model():
    return nn.Sequential(
        nn.Conv1d(12, 32, 7, padding=3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 5)
    )


def train_ecg(loader, epochs=10, lr=1e-3):
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    for epoch in range(epochs):
        model.train()
        for signal, label in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(signal), label)
            loss.backward()
            optimizer.step  # SICK
        scheduler.step()
        print(epoch, scheduler.get_last_lr(), loss.item())
    return model
