import torch.nn as nn


class MLP(nn.Module):
    def __init__(self, in_features, out_features, hidden=[128, 64], dropout=0.1):  # SICK
        super().__init__()
        hidden.insert(0, in_features)
        layers = []
        for a, b in zip(hidden[:-1], hidden[1:]):
            layers.append(nn.Linear(a, b))
            layers.append(nn.ReLU())
            layers.append(nn.Dropout(dropout))
        self.net = nn.Sequential(*layers)
        self.head = nn.Linear(hidden[-1], out_features)

    def forward(self, x):
        return self.head(self.net(x))
