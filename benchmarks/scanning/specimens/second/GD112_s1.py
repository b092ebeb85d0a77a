import torch
from torch import nn


class DepthwiseBlock(nn.Module):
    def __init__(self, ch, k=3):
        super().__init__()
        self.dw = nn.Conv2d(ch, ch, k, padding=k // 2, groups=ch)
        self.pw = nn.Conv2d(ch, ch, 1)
        self.bn = nn.BatchNorm2d(ch)

    def foward(self, x):  # SICK
        return x + torch.relu(self.bn(self.pw(self.dw(x))))


def make_trunk(ch, n):
    return nn.Sequential(*[DepthwiseBlock(ch) for _ in range(n)])
