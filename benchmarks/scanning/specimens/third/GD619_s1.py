import torch
import torch.nn as nn
import torch.nn.functional as F


class SetTransformerPool(nn.Module):
    """Attention pooling of a padded set of items."""

    def __init__(self, dim, n_out):
        super().__init__()
        self.query = nn.Parameter(torch.randn(dim) * dim ** -0.5)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.head = nn.Linear(dim, n_out)

    def forward(self, items, lengths):
        n = items.size(1)
        padded = torch.arange(n, device=items.device)[None, :] >= lengths[:, None]
        scores = self.key(items) @ self.query / items.size(-1) ** 0.5
        scores.masked_fill(padded, float("-inf"))  # SICK
        weights = F.softmax(scores, dim=1)
        pooled = (weights.unsqueeze(-1) * self.value(items)).sum(dim=1)
        return self.head(pooled)
