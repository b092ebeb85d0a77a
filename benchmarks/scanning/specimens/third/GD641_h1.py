import torch
import torch.nn as nn
import torch.nn.functional as F


def focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    p = logits.sigmoid()
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    weight = (alpha * targets + (1 - alpha) * (1 - targets)) * (1 - p_t) ** gamma
    return (weight * ce).mean()


class SegHead(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.mask = nn.Conv2d(c, 1, 1)
        self.edge = nn.Sequential(nn.Conv2d(c, 1, 1), nn.Sigmoid())

    def forward(self, feats, mask=None, edge=None):
        m, e = self.mask(feats), self.edge(feats)
        if mask is None:
            return torch.sigmoid(m), e
        return focal_loss(m, mask) + F.binary_cross_entropy(e, edge)


if __name__ == "__main__":
    h = SegHead(4)
    f = torch.randn(2, 4, 8, 8)
    y = torch.randint(0, 2, (2, 1, 8, 8)).float()
    h(f, y, y).backward()
