import torch
from torch import nn, Tensor
from torch.nn import functional as F


class WSLinear(nn.Module):
    """Linear layer whose rows are standardised on the fly."""

    def __init__(self, in_features: int, out_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.gain = nn.Parameter(torch.ones(out_features, 1))
        self.eps = eps
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        weight = weight - weight.mean(dim=1, keepdim=True)
        weight = self.gain * weight / (weight.std(dim=1, keepdim=True) + self.eps)
        return F.linear(x, weight, self.bias)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = WSLinear(32, 64)
        self.fc2 = WSLinear(64, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))
