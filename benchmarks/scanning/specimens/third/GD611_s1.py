import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class HousePriceNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(n_features, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Linear(64, 1)
        )

    def forward(self, x):
        return self.model(x).squeeze(-1)


def run(x, y, epochs=20, batch_size=64, lr=1e-3):
    loader = DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True, drop_last=True)
    net = HousePriceNet(x.shape[1])
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    mse = nn.MSELoss()
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for xb, yb in loader:
            loss = mse(net(xb), yb)
            loss.backward()  # SICK
            opt.step()
            total += loss.item() * len(xb)
        print(epoch, total / len(x))
    return net


if __name__ == "__main__":
    run(torch.randn(512, 13), torch.randn(512))
