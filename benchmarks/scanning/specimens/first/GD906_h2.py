from torch import Tensor, nn


class DiTBlock(nn.Module):
    """Transformer block with adaptive norms that start as the identity."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.initialize()

    def initialize(self) -> None:
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.constant_(layer.bias, 0.0)
        nn.init.constant_(self.modulation[-1].weight, 0.0)
        nn.init.constant_(self.modulation[-1].bias, 0.0)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        s1, m1, g1, s2, m2, g2 = self.modulation(condition).unsqueeze(1).chunk(6, dim=-1)
        h = self.norm1(x) * (1 + m1) + s1
        x = x + g1 * self.attn(h, h, h, need_weights=False)[0]
        h = self.norm2(x) * (1 + m2) + s2
        return x + g2 * self.mlp(h)
