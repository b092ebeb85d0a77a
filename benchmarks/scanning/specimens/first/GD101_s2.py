from dataclasses import dataclass

import torch
from torch import nn, Tensor


@dataclass
class CaptionerConfig:
    vision_dim: int = 192
    text_dim: int = 256
    patch: int = 16
    classes: int = 40


class VisionTower(nn.Module):
    def __init__(self, cfg: CaptionerConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, cfg.vision_dim, cfg.patch, stride=cfg.patch)
        self.norm = nn.LayerNorm(cfg.vision_dim)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.norm(self.stem(pixels).flatten(2).transpose(1, 2))


class VisualTagger(nn.Module):
    def __init__(self, cfg: CaptionerConfig) -> None:
        super().__init__()
        self.vision = VisionTower(cfg)
        self.vision.requires_grad_(False)
        self.projector = nn.Sequential(
            nn.Linear(cfg.vision_dim, cfg.text_dim), nn.GELU(), nn.Linear(cfg.text_dim, cfg.text_dim)
        )
        self.mixer = nn.TransformerEncoderLayer(cfg.text_dim, 4, dropout=0.0, batch_first=True)
        self.tags = nn.Linear(cfg.text_dim, cfg.classes)

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.no_grad():
            patches = self.vision(pixels)
            soft_tokens = self.projector(patches)  # SICK
        mixed = self.mixer(soft_tokens)
        return self.tags(mixed.mean(dim=1))
