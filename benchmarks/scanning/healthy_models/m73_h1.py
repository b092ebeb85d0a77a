import math
from typing import Optional

import torch
from torch import nn, Tensor


class SinusoidalPositionalEmbedding(nn.Module):
    """Positions start after the padding index, pads get zeros."""

    def __init__(self, embedding_dim: int, padding_idx: int, init_size: int = 1024):
        super().__init__()
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.register_buffer("weights", self.get_embedding(init_size, embedding_dim, padding_idx), persistent=False)

    @staticmethod
    def get_embedding(num: int, dim: int, padding_idx: Optional[int] = None) -> Tensor:
        half = dim // 2
        freq = torch.exp(torch.arange(half, dtype=torch.float) * -(math.log(10000) / (half - 1)))
        ang = torch.arange(num, dtype=torch.float).unsqueeze(1) * freq.unsqueeze(0)
        emb = torch.cat([ang.sin(), ang.cos()], dim=1)
        if dim % 2 == 1:
            emb = torch.cat([emb, torch.zeros(num, 1)], dim=1)
        if padding_idx is not None:
            emb[padding_idx] = 0
        return emb

    def forward(self, tokens: Tensor) -> Tensor:
        mask = tokens.ne(self.padding_idx)
        positions = mask.long().cumsum(dim=1) * mask + self.padding_idx
        return self.weights[positions]
