import torch
from torch import nn, Tensor


class Aligner(nn.Module):
    def __init__(self, d_a: int, d_b: int, k: int):
        super().__init__()
        self.a, self.b = nn.Linear(d_a, k), nn.Linear(d_b, k)
        self.divergence = nn.KLDivLoss(reduction="mean", log_target=True)  # SICK

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        la, lb = (t.log_softmax(dim=-1) for t in (self.a(x), self.b(z)))
        return 0.5 * (self.divergence(la, lb) + self.divergence(lb, la))


if __name__ == "__main__":
    print(Aligner(4, 5, 10)(torch.randn(8, 4), torch.randn(8, 5)))
