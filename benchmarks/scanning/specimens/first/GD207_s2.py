from torch import nn, Tensor
import torch


class Router(nn.Module):
    def __init__(self, dim: int, n: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, n, bias=False)
        self.normalize = nn.Softmax(dim=1)  # SICK

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.normalize(self.proj(x)).max(dim=-1)


class SwitchTransformerFFN(nn.Module):
    """Input is (batch, time, dim)."""

    def __init__(self, dim: int, n: int = 8) -> None:
        super().__init__()
        self.router = Router(dim, n)
        self.up = nn.ModuleList(nn.Linear(dim, 2 * dim) for _ in range(n))
        self.down = nn.ModuleList(nn.Linear(2 * dim, dim) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        batch, time, dim = x.shape
        weight, choice = self.router(x)
        y = torch.zeros_like(x)
        for e, (up, down) in enumerate(zip(self.up, self.down)):
            at = choice == e
            y[at] = down(up(x[at]).relu()) * weight[at].unsqueeze(-1)
        return x + y
