from torch import nn
import torch.nn.functional as fn


class UNet1d(nn.Module):
    def __init__(self, ch=(16, 32, 64)):
        super().__init__()
        c1, c2, c3 = ch
        self.layers = nn.ModuleDict({
            "enc1": nn.Conv1d(1, c1, 5, padding=2),
            "enc2": nn.Conv1d(c1, c2, 5, padding=2),
            "mid": nn.Conv1d(c2, c3, 3, padding=1),
            "up2": nn.ConvTranspose1d(c3, c2, 2, stride=2),
            "up1": nn.ConvTranspose1d(c2, c1, 2, stride=2),
            "skip1": nn.Conv1d(c1, c1, 1),
            "skip2": nn.Conv1d(c2, c2, 1),  # SICK
            "out": nn.Conv1d(c1, 1, 1),
        })

    def forward(self, x):
        net = self.layers
        e1 = fn.relu(net["enc1"](x))
        e2 = fn.relu(net["enc2"](fn.max_pool1d(e1, 2)))
        m = fn.relu(net["mid"](fn.max_pool1d(e2, 2)))
        d2 = fn.relu(net["up2"](m) + e2)
        d1 = fn.relu(net["up1"](d2) + net["skip1"](e1))
        return net["out"](d1)
