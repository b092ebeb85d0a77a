from torch import Tensor, nn
from torch.nn import functional as fn


class FusedAttention(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        q = q * self.scale
        p = self.dropout if self.training else 0.0
        out = fn.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)  # SICK
        return self.proj(out.transpose(1, 2).flatten(2))
