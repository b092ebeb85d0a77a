import torch.nn as nn


class ConvBnAct(nn.Module):
    def __init__(self, cin, cout, kernel=3, **conv_kwargs):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, padding="same", **conv_kwargs)
        self.norm = nn.BatchNorm2d(cout)

    def forward(self, x, *, act=True):
        y = self.norm(self.conv(x))
        return y.relu() if act else y


class Trunk(nn.Module):
    def __init__(self, widths=(3, 32, 64)):
        super().__init__()
        self.stages = nn.ModuleList(ConvBnAct(*ab, bias=False, groups=1) for ab in zip(widths, widths[1:]))

    def forward(self, x):
        for i, s in enumerate(self.stages):
            x = s(x, act=i + 1 < len(self.stages))
        return x.mean((2, 3))
