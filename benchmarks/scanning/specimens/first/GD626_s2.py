import torch
from torch import nn
from torch.nn import functional as fn


class Forecaster(nn.Module):
    def __init__(self, channels: int, width: int = 40):
        super().__init__()
        self.cell = nn.GRUCell(channels, width)
        self.out = nn.Linear(width, channels)

    def forward(self, series):
        h = series.new_zeros(series.size(0), self.cell.hidden_size)
        guesses = []
        for t in range(series.size(1)):
            h = self.cell(series[:, t], h)
            guesses.append(self.out(h))
        return torch.stack(guesses, dim=1)


def fit(net: Forecaster, windows, n: int = 20):
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(n):
        for w in windows:
            residual = fn.mse_loss(net(w[:, :-1]), w[:, 1:])
            opt.zero_grad()
            torch.autograd.backward(residual, retain_graph=True)  # SICK
            opt.step()
        print(epoch, residual.item())
