import torch
from torch import Tensor, nn


class LocalAttention(nn.Module):
    """Sliding-window causal attention, scores stored as (batch, head, key, query)."""

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        self.heads = heads
        self.window = window
        self.inner = nn.Linear(width, 3 * width)
        self.outer = nn.Linear(width, width)

    def outside(self, length: int, device: torch.device) -> Tensor:
        full = torch.ones(length, length, dtype=torch.bool, device=device)
        later_keys = full.tril(diagonal=-1)
        stale_keys = full.triu(diagonal=self.window)
        return later_keys | stale_keys

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.inner(x).unflatten(-1, (3, self.heads, -1)).unbind(dim=2)
        scores = torch.einsum("bkhd,bqhd->bhkq", k, q) * q.size(-1) ** -0.5
        scores = scores.masked_fill(self.outside(x.size(1), x.device), -torch.inf)
        weights = scores.softmax(dim=2)
        mixed = torch.einsum("bhkq,bkhd->bqhd", weights, v)
        return self.outer(mixed.flatten(2))
