import torch
import torch.nn as nn


@torch.no_grad()
def init_linear(layer, scale):
    layer.weight.normal_(0.0, scale)
    layer.bias.zero_()


class CachedMean(nn.Module):
    def __init__(self, dim, momentum=0.1):
        super().__init__()
        self.fc = nn.Linear(dim, dim)
        init_linear(self.fc, dim ** -0.5)
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(dim))

    def forward(self, x, padding):
        h = self.fc(x)
        h = h.masked_fill(padding.unsqueeze(-1), 0.0)
        if self.training:
            with torch.no_grad():
                m = h.mean(dim=(0, 1))
                self.mean.lerp_(m, self.momentum)
        return h - self.mean


def prepare(model, device):
    model.to(device)
    model.train()
    model.requires_grad_(True)
    seen = set()
    seen.add(id(model))
    return model
