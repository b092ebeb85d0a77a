from typing import Optional

import torch
from torch import Tensor, nn


class DecoderLayer(nn.Module):
    """Post-norm decoder layer: self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, nhead: int, ff: int = 128, dropout: float = 0.1):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d_model, nhead, dropout=dropout, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(d_model, nhead, dropout=dropout, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(d_model, ff), nn.Linear(ff, d_model)
        self.norms = nn.ModuleList([nn.LayerNorm(d_model) for _ in range(3)])
        self.dropout = nn.Dropout(dropout)

    def _sa_block(self, x: Tensor) -> Tensor:
        n = x.size(1)
        mask = torch.ones(n, n, dtype=torch.bool, device=x.device).triu(1)
        return self.dropout(self.self_attn(x, x, x, attn_mask=mask, need_weights=False)[0])

    def _ca_block(self, x: Tensor, memory: Tensor, pad: Optional[Tensor]) -> Tensor:
        return self.dropout(self.cross_attn(x, memory, memory, key_padding_mask=pad, need_weights=False)[0])

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout(self.linear2(torch.relu(self.linear1(x))))

    def forward(self, tgt: Tensor, memory: Tensor, memory_pad: Optional[Tensor] = None) -> Tensor:
        x = self.norms[0](tgt + self._sa_block(tgt))
        x = self.norms[1](self._ca_block(x, memory, memory_pad))  # SICK
        return self.norms[2](x + self._ff_block(x))
