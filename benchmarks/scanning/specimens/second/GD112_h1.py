import torch
from torch import nn


class SeparableBlock(nn.Module):
    def __init__(self, ch, k=3):
        super().__init__()
        self.dw = nn.Conv2d(ch, ch, k, padding=k // 2, groups=ch)
        self.pw = nn.Conv2d(ch, ch, 1)

    def forward_features(self, x):
        return self.pw(self.dw(x))

    def forward(self, x):
        return x + torch.relu(self.forward_features(x))
