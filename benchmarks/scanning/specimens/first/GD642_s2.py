import torch
from torch import nn, Tensor


class Consistency(nn.Module):
    """Two passes with dropout ought to agree."""

    def __init__(self, d: int, k: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, k))
        self.ce = nn.CrossEntropyLoss()
        self.kl = nn.KLDivLoss(reduction="batchmean")

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int = 0) -> Tensor:
        x, y = batch
        first, second = self(x), self(x)
        agree = self.kl(first.log_softmax(-1), second.log_softmax(-1))  # SICK
        return self.ce(first, y) + self.ce(second, y) + agree
