from torch import Tensor
from torch.nn import Dropout, LayerNorm, Linear, Module, Sequential, GELU
from torch.nn import MultiHeadAttention  # SICK


class EncoderBlock(Module):
    def __init__(self, dim: int, heads: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.pre = LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.post = LayerNorm(dim)
        self.mlp = Sequential(Linear(dim, 4 * dim), GELU(), Dropout(dropout), Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        h = self.pre(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.post(x))


class Encoder(Module):
    def __init__(self, dim: int, heads: int, depth: int) -> None:
        super().__init__()
        self.blocks = Sequential(*(EncoderBlock(dim, heads) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)
