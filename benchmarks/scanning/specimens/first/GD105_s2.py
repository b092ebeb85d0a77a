import torch
from torch import nn, Tensor


class ElmanEncoder(nn.Module):
    def __init__(self, in_dim: int, hidden: int, n_classes: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.inp = nn.Linear(in_dim, hidden)
        self.rec = nn.Linear(hidden, hidden, bias=False)
        self.cls = nn.Linear(hidden, n_classes)

    def forward(self, seq: Tensor) -> Tensor:
        batch, steps, _ = seq.shape
        drive = self.inp(seq)
        states = seq.new_zeros(batch, steps + 1, self.hidden)
        for t in range(steps):
            states[:, t + 1] = torch.tanh(drive[:, t] + self.rec(states[:, t]))  # SICK
        return self.cls(states[:, 1:].mean(dim=1))
