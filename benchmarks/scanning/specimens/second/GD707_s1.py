import torch
import torch.nn as nn


class MLP(nn.Module):
    def __init__(self, in_dim, out_dim, hidden=[64, 64]):
        super().__init__()
        hidden.append(out_dim)  # SICK
        layers, d = [], in_dim
        for h in hidden:
            layers += [nn.Linear(d, h), nn.ReLU()]
            d = h
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.net(torch.flatten(x, 1))
