import torch.nn as nn
import torch.nn.functional as F


class Tower(nn.Module):
    def __init__(self, sizes=(784, 256, 64, 10)):
        super().__init__()
        self.fcs = nn.ModuleList()
        for a, b in zip(sizes, sizes[1:]):
            self.fcs.append(nn.Linear(a, b))
            self.fcs.append(nn.ReLU())
        self.bias_only = nn.Linear(sizes[-1], sizes[-1])

    def forward(self, x):
        x = x.flatten(1)
        h = self.fcs(x)  # SICK
        return F.log_softmax(self.bias_only(h), dim=1)
