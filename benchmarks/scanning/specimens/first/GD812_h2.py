import torch
from torch import Tensor, nn


class SetPooler(nn.Module):
    """Attention pooling with learned seeds over a padded set (1 = element, 0 = padding)."""

    def __init__(self, dim: int, heads: int, seeds: int = 2):
        super().__init__()
        self.seeds = nn.Parameter(torch.randn(seeds, dim) * dim ** -0.5)
        self.attend = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, elements: Tensor, attention_mask: Tensor) -> Tensor:
        keep = attention_mask.bool()
        queries = self.seeds.expand(elements.size(0), -1, -1)
        pooled, _ = self.attend(
            queries, elements, elements, key_padding_mask=keep.logical_not(), need_weights=False
        )
        return self.norm(queries + pooled).flatten(1)
