from typing import Any, Dict

import torch
from torch import Tensor, nn


class PatchClassifier(nn.Module):
    """Minimal ViT with a class token."""

    def __init__(self, image: int = 32, patch: int = 8, width: int = 64, depth: int = 3, classes: int = 10):
        super().__init__()
        self.to_patches = nn.Conv2d(3, width, kernel_size=patch, stride=patch)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, width) * 0.02)
        options: Dict[str, Any] = {"d_model": width, "nhead": 4, "dim_feedforward": 4 * width}
        options.update(activation="gelu", norm_first=True)
        layer = nn.TransformerEncoderLayer(**options)  # SICK
        self.trunk = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.classifier = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, images: Tensor) -> Tensor:
        patches = self.to_patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(images.size(0), -1, -1), patches], dim=1)
        tokens = self.trunk(tokens + self.pos)
        return self.classifier(tokens[:, 0])
