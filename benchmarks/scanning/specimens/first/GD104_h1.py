import torch
from torch import nn
from torch.nn import functional as fn


class StandardizedConv(nn.Conv2d):
    def forward(self, x):
        weight = self.weight
        mean = weight.mean(dim=(1, 2, 3), keepdim=True)
        std = weight.std(dim=(1, 2, 3), keepdim=True)
        weight = (weight - mean) / (std + 1e-5)
        return self._conv_forward(x, weight, self.bias)


class PatchCritic(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.conv1 = StandardizedConv(3, width, 4, stride=2, padding=1)
        self.conv2 = StandardizedConv(width, 2 * width, 4, stride=2, padding=1)
        self.gain = nn.Parameter(torch.ones(2 * width, 1, 1))
        self.score = nn.Conv2d(2 * width, 1, 1)

    def forward(self, x):
        gain = fn.softplus(self.gain)
        h = fn.leaky_relu(self.conv1(x), 0.2)
        h = fn.leaky_relu(self.conv2(h) * gain, 0.2)
        return self.score(h).mean(dim=(1, 2, 3))
