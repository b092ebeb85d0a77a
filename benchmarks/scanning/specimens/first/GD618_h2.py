import torch
from torch import nn


def finetune(backbone: nn.Module, head: nn.Module, loader, val, epochs: int = 3):
    """A frozen feature extractor under a head that is trained."""
    backbone.requires_grad_(False)
    backbone.eval()
    opt = torch.optim.Adam(head.parameters(), lr=1e-3)
    lossf = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        head.train()
        for x, y in loader:
            with torch.no_grad():
                feats = backbone(x)
            loss = lossf(head(feats), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        head.eval()
        with torch.no_grad():
            hits = [(head(backbone(x)).argmax(-1) == y).float().mean() for x, y in val]
        print(epoch, torch.stack(hits).mean().item())
