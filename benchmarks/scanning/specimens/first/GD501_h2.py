from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import torch
import torch.utils.checkpoint as ckpt
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import weight_norm
from torch import nn

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

HAS_WANDB = importlib.util.find_spec("wandb") is not None


def start_run(name: str) -> Run | None:
    if not HAS_WANDB:
        return None
    import wandb

    return wandb.init(project=name)


class WaveBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(channels, channels, 3, padding=1))
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = ckpt.checkpoint(self.conv, x, use_reentrant=False)
        return x + torch.relu(self.norm(y))


def freeze_norms(model: nn.Module) -> None:
    for m in model.modules():
        if isinstance(m, _BatchNorm):
            m.requires_grad_(False)
