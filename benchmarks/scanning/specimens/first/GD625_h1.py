import torch
import torch.nn.functional as F
from torch import nn


class TwoTower(nn.Module):
    def __init__(self, a, b, d):
        super().__init__()
        self.left, self.right = nn.Linear(a, d), nn.Linear(b, d)

    def forward(self, x, y):
        sims = F.normalize(self.left(x), dim=-1) @ F.normalize(self.right(y), dim=-1).t() / 0.07
        labels = torch.arange(len(sims), device=sims.device)
        return (F.cross_entropy(target=labels, input=sims) + F.cross_entropy(sims.t(), labels)) / 2


if __name__ == "__main__":
    print(TwoTower(6, 7, 8)(torch.randn(5, 6), torch.randn(5, 7)))
