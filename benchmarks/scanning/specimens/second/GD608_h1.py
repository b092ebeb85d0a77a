import torch
import torch.nn as nn


class ManualForecast(nn.Module):
    """Manual optimisation: the step does everything itself."""

    def __init__(self, history, horizon):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(history, 64), nn.ReLU(), nn.Linear(64, horizon))
        self.criterion = nn.L1Loss()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=1e-3)

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.criterion(self(x), y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        print("train_loss", loss.item())
