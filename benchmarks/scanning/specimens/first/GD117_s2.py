from typing import Iterable

from torch import nn, Tensor
from torch.utils.checkpoint import checkpoint


class FeedForward(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(dim)
        self.lin1, self.lin2 = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.lin2(self.lin1(self.ln(x)).relu())


class DeepMLP(nn.Module):
    def __init__(self, n_in: int, dim: int, depth: int, n_out: int) -> None:
        super().__init__()
        self.read_in = nn.Linear(n_in, dim)
        self.trunk: Iterable[FeedForward] = nn.ModuleList(FeedForward(dim) for _ in range(depth))
        self.read_out = nn.Linear(dim, n_out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.read_in(x)
        for unit in self.trunk:
            if self.training:
                h = checkpoint(unit, h, use_reentrant=False)
            else:
                h = unit.forward(h)  # SICK
        return self.read_out(h)
