from typing import Optional

import torch
from torch import Tensor, nn


class PrefixBuilder(nn.Module):
    """Joins whatever conditions are given before the token embeddings."""

    def __init__(self, n_vocab: int, dim: int, n_speakers: int, clip_dim: int):
        super().__init__()
        self.tok = nn.Embedding(n_vocab, dim)
        self.speaker = nn.Embedding(n_speakers, dim)
        self.clip = nn.Linear(clip_dim, dim)

    def conditions(self, speaker: Optional[Tensor], clip: Optional[Tensor]) -> Optional[Tensor]:
        parts = []
        if speaker is not None:
            parts.append(self.speaker(speaker).unsqueeze(1))
        if clip is not None:
            parts.append(self.clip(clip))
        return torch.cat(parts, dim=1) if parts else None

    def forward(self, ids: Tensor, speaker: Optional[Tensor] = None, clip: Optional[Tensor] = None) -> Tensor:
        x = self.tok(ids)
        cond = self.conditions(speaker, clip)
        return x if cond is None else torch.cat([cond, x], dim=1)
