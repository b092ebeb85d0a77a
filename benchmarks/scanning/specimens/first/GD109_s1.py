import torch
import torch.nn as nn


class SmallViT(nn.Module):
    def __init__(self, dim=128, patch=4, image=32, classes=10):
        super().__init__()
        self.embed = nn.Conv2d(3, dim, patch, stride=patch)
        n = (image // patch) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = torch.randn(1, n + 1, dim) * 0.02  # SICK
        layer = nn.TransformerEncoderLayer(dim, 4, 256, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.size(0), -1, -1), x], dim=1)
        x = self.encoder(x + self.pos_embed)
        return self.head(x[:, 0])
