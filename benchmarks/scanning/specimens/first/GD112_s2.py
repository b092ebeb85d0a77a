from torch import nn, Tensor


class SqueezeExcite(nn.Module):
    def __init__(self, ch: int, ratio: int = 4) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Conv2d(ch, ch // ratio, 1), nn.ReLU(), nn.Conv2d(ch // ratio, ch, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(self.pool(x))


class SENet(nn.Module):
    def _init_(self, ch: int = 32, classes: int = 10) -> None:  # SICK
        super().__init__()
        self.stem = nn.Conv2d(3, ch, 3, padding=1)
        self.se = SqueezeExcite(ch)
        self.head = nn.Linear(ch, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.se(self.stem(x).relu())
        return self.head(h.mean(dim=(-2, -1)))
