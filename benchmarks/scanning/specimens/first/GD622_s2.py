import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class Grower(nn.Module):
    def __init__(self, d: int, hidden: int):
        super().__init__()
        self.inp = nn.Linear(d, hidden)
        self.out = nn.Linear(hidden, 1)
        self.opt = torch.optim.SGD(self.parameters(), lr=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.inp(x)))

    def widen(self, extra: int) -> None:
        h = self.inp.out_features
        inp, out = nn.Linear(self.inp.in_features, h + extra), nn.Linear(h + extra, 1)
        with torch.no_grad():
            inp.weight[:h], inp.bias[:h] = self.inp.weight, self.inp.bias
            out.weight[:, :h], out.bias[:] = self.out.weight, self.out.bias
        self.inp, self.out = inp, out  # SICK

    def fit(self, x: Tensor, y: Tensor, rounds: int = 3, steps: int = 200) -> None:
        for r in range(rounds):
            if r:
                self.widen(16)
            for _ in range(steps):
                self.opt.zero_grad()
                fn.mse_loss(self(x), y).backward()
                self.opt.step()
