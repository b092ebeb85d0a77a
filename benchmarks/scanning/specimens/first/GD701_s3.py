from dataclasses import dataclass

import torch
import torch.nn as nn


@dataclass
class CondConfig:
    text_dim: int = 64
    image_dim: int = 48
    pose_dim: int = 12
    model_dim: int = 32


class ConditionEmbedder(nn.Module):
    def __init__(self, cfg: CondConfig):
        super().__init__()
        self.embedders = nn.ModuleDict(
            {
                "text": nn.Linear(cfg.text_dim, cfg.model_dim),
                "image": nn.Linear(cfg.image_dim, cfg.model_dim),
                "pose": nn.Linear(cfg.pose_dim, cfg.model_dim),
            }
        )

    def forward(self, *, text=None, image=None, pose=None):
        given = {"text": text, "image": image, "pose": pose}
        tokens = [self.embedders[name](value) for name, value in given.items() if value is not None]
        return torch.cat(tokens, dim=1)  # SICK
