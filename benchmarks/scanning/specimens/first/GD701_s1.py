import torch
from torch import nn


class ModalityFusion(nn.Module):
    """Late fusion of whatever modalities the sample comes with."""

    def __init__(self, image_dim, audio_dim, width, num_classes):
        super().__init__()
        self.image_proj = nn.Linear(image_dim, width)
        self.audio_proj = nn.Linear(audio_dim, width)
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, image=None, audio=None):
        feats = []
        if image is not None:
            feats.append(self.image_proj(image))
        if audio is not None:
            feats.append(self.audio_proj(audio))
        fused = torch.stack(feats, dim=0).mean(dim=0)  # SICK
        return self.classifier(self.norm(fused))
