import torch
from torch import Tensor, nn
from torch.nn import functional as fn


class FixedCanvasLM(nn.Module):
    """Pixels in raster order; an image never has more than `side * side` of them."""

    def __init__(self, levels: int, side: int = 8, dim: int = 64):
        super().__init__()
        self.limit = side * side
        self.level = nn.Embedding(levels + 1, dim)
        self.where = nn.Embedding(self.limit, dim)
        self.mix = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.out = nn.Linear(dim, levels)
        self.start = levels

    def forward(self, seq: Tensor) -> Tensor:
        n = seq.size(1)
        x = self.level(seq) + self.where.weight[:n]
        hide = torch.ones(n, n, dtype=torch.bool, device=seq.device).triu(1)
        return self.out(x + self.mix(x, x, x, attn_mask=hide, need_weights=False)[0])

    def loss(self, pixels: Tensor) -> Tensor:
        seq = fn.pad(pixels[:, :-1], (1, 0), value=self.start)
        return fn.cross_entropy(self(seq).transpose(1, 2), pixels)

    @torch.no_grad()
    def generate(self, count: int, n_pixels: int) -> Tensor:
        seq = torch.full((count, 1), self.start, device=self.out.weight.device)
        for _ in range(min(n_pixels, self.limit)):
            seq = torch.cat([seq, self(seq)[:, -1].softmax(-1).multinomial(1)], dim=1)
        return seq[:, 1:]
