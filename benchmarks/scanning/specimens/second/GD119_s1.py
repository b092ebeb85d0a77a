import torch.nn as nn
import torch.nn.init as init


class ConvStem(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.c1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.c2 = nn.Conv2d(cout, cout, 3, padding=1)
        self.act = nn.ReLU()

    def _init_weights(self):  # SICK
        for conv in (self.c1, self.c2):
            init.kaiming_normal_(conv.weight, nonlinearity="relu")
            init.zeros_(conv.bias)

    def forward(self, x):
        return self.act(self.c2(self.act(self.c1(x))))
