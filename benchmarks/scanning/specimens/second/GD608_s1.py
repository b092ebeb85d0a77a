import torch
import torch.nn as nn


class ForecastModule(nn.Module):
    def __init__(self, history, horizon):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(history, 64), nn.ReLU(), nn.Linear(64, horizon))
        self.criterion = nn.L1Loss()

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):  # SICK
        x, y = batch
        pred = self(x)
        loss = self.criterion(pred, y)
        print("train_loss", loss.item())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)
