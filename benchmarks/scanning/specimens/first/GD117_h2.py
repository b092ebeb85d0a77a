from torch import nn


class Standardizer:
    """Plain object, no module: remembers the mean and spread of the training targets."""

    def __init__(self, values):
        self.mean = float(values.mean())
        self.std = float(values.std())

    def forward(self, y):
        return (y - self.mean) / self.std

    def inverse(self, y):
        return y * self.std + self.mean


class PriceModel(nn.Module):
    def __init__(self, n_features, targets):
        super().__init__()
        self.transform = Standardizer(targets)
        self.net = nn.Sequential(nn.Linear(n_features, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.transform.inverse(self.net(x).squeeze(-1))

    def loss(self, x, y):
        goal = self.transform.forward(y)
        return nn.functional.mse_loss(self.net(x).squeeze(-1), goal)
