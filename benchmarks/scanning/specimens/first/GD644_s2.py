import torch
from torch import nn, Tensor


class Classifier(nn.Module):
    def __init__(self, sizes: list[int]):
        super().__init__()
        parts = []
        for a, b in zip(sizes, sizes[1:-1]):
            parts += [nn.Linear(a, b), nn.ReLU()]
        self.trunk = nn.Sequential(*parts)
        self.head = nn.Linear(sizes[-2], sizes[-1])
        self.soft = nn.Softmax(dim=-1)
        self.nll = nn.NLLLoss()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.nll(self.soft(self.head(self.trunk(x))).log(), y)  # SICK


if __name__ == "__main__":
    m = Classifier([6, 32, 32, 4])
    print(m(torch.randn(5, 6), torch.randint(0, 4, (5,))))
