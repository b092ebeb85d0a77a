from torch import Tensor, einsum, nn
from torch.nn import functional as fn


class CrossModalAttention(nn.Module):
    """Text tokens read image regions, grouped key-value heads."""

    def __init__(self, text_dim: int, image_dim: int, heads: int, groups: int = 2, head_dim: int = 64):
        super().__init__()
        self.heads, self.groups, self.head_dim = heads, groups, head_dim
        self.q = nn.Linear(text_dim, heads * head_dim, bias=False)
        self.kv = nn.Linear(image_dim, 2 * groups * head_dim, bias=False)
        self.o = nn.Linear(heads * head_dim, text_dim, bias=False)

    def forward(self, text: Tensor, regions: Tensor) -> Tensor:
        q = self.q(text).unflatten(-1, (self.groups, self.heads // self.groups, self.head_dim))
        k, v = self.kv(regions).unflatten(-1, (2, self.groups, self.head_dim)).unbind(dim=2)
        weights = fn.softmax(einsum("bqghd,bkgd->bghqk", q, k), dim=-1)  # SICK
        mixed = einsum("bghqk,bkgd->bqghd", weights, v)
        return text + self.o(mixed.flatten(2))
