import torch
import torch.nn as nn
from torch.utils.data import DataLoader


class ActivityLSTM(nn.Module):
    """Human activity recognition from accelerometer windows (batch, time, channels)."""

    def __init__(self, n_channels=9, hidden=64, n_classes=6):
        super().__init__()
        self.bn = nn.BatchNorm1d(n_channels)
        self.lstm = nn.LSTM(n_channels, hidden, num_layers=2, dropout=0.3)  # SICK
        self.fc = nn.Linear(hidden, n_classes)

    def forward(self, x):
        x = self.bn(x.transpose(1, 2)).transpose(1, 2)
        out, _ = self.lstm(x)
        return self.fc(out[:, -1, :])


def train_epoch(model, loader: DataLoader, opt):
    loss_fn = nn.CrossEntropyLoss()
    model.train()
    for windows, labels in loader:
        opt.zero_grad()
        loss = loss_fn(model(windows), labels)
        loss.backward()
        opt.step()
