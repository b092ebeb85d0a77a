import torch
import torch.nn as nn


class FeatureNet(nn.Module):
    def __init__(self, width=32, depth=4):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU()) for _ in range(depth)]
        )
        self.fc = nn.Linear(width * depth, 10)

    def extract(self, x, feats=[]):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
            feats.append(x.mean(dim=(2, 3)))  # SICK
        return feats

    def forward(self, x):
        feats = self.extract(x)
        return self.fc(torch.cat(feats[-len(self.blocks):], dim=1))
