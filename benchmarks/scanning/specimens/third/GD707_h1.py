import torch
import torch.nn as nn


class ConvTower(nn.Module):
    def __init__(self, in_ch, widths=[32, 64, 128], extra_kwargs={}, names=()):
        super().__init__()
        widths = [in_ch] + widths
        options = {"padding": 1, **extra_kwargs}
        layers = []
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Conv2d(a, b, 3, **options), nn.BatchNorm2d(b), nn.ReLU()]
        self.tower = nn.Sequential(*layers)
        self.names = list(names)
        self.names.append("tower")

    def forward(self, x, taps=None):
        taps = [] if taps is None else taps
        for layer in self.tower:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                taps.append(x)
        return x, taps


if __name__ == "__main__":
    a, b = ConvTower(3), ConvTower(1, extra_kwargs={"bias": False})
    print(len(a(torch.randn(1, 3, 8, 8))[1]), b.names)
