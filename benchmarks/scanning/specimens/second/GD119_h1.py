import torch.nn as nn
import torch.nn.init as init


class ConvEntry(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.c1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.c2 = nn.Conv2d(cout, cout, 3, padding=1)
        self.apply(self._setup)

    @staticmethod
    def _setup(m):
        if isinstance(m, nn.Conv2d):
            init.kaiming_normal_(m.weight, nonlinearity="relu")
            init.zeros_(m.bias)

    def forward(self, x):
        return self.c2(self.c1(x).relu()).relu()
