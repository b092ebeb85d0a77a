import torch
import torch.nn as nn


class CreditScorer(nn.Module):
    def __init__(self, n_features, hidden=(64, 32)):
        super().__init__()
        sizes = [n_features, *hidden]
        layers = []
        for a, b in zip(sizes[:-1], sizes[1:]):
            layers.extend([nn.Linear(a, b), nn.ReLU()])
        layers.append(nn.Linear(sizes[-1], 1))
        self.net = nn.Sequential(*layers)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 0.01)  # SICK
            nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.net(x).squeeze(-1)


def loss_fn(model, x, default):
    return nn.functional.binary_cross_entropy_with_logits(model(x), default.float())
