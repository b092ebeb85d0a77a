import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, 2))

    def forward(self, x):
        return self.body(x)


def load(path, device="cpu"):
    net = Net()
    net.load_state_dict(torch.load(path, map_location=device, weights_only=False))  # SICK
    return net.eval()
