"""Weights moved a little, so that what starts at zero lets through what it hides."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def jitter(model: nn.Module, std: float, seed: int) -> nn.Module:
    """Add N(0, std) to every floating parameter that is trained, in place, and give it back.

    What is frozen may be no weight at all: masks and tables of positions are kept so.
    """
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.requires_grad:
                parameter.add_(noise.to(parameter), alpha=std)
    return model
