import torch
from torch import nn


class LinearProbe(nn.Module):
    """Classifier on top of a frozen image encoder."""

    def __init__(self, encoder: nn.Module, feat_dim: int, num_classes: int):
        super().__init__()
        self.encoder = encoder.eval()
        for p in self.encoder.parameters():
            p.requires_grad = False
        self.norm = nn.BatchNorm1d(feat_dim, affine=False)
        self.fc = nn.Linear(feat_dim, num_classes)

    def train(self, mode: bool = True):
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None):
        with torch.no_grad():
            feats = self.encoder(images)
        scores = self.fc(self.norm(feats))
        if labels is None:
            return scores
        return scores, nn.functional.cross_entropy(scores, labels)
