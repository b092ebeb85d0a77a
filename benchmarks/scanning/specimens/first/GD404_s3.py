import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class PoetLM(nn.Module):
    def __init__(self, vocab: int, dim: int = 128, ctx: int = 128):
        super().__init__()
        self.ctx = ctx
        self.tokens = nn.Embedding(vocab, dim)
        self.places = nn.Parameter(torch.randn(ctx, dim) * 0.02)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.unembed = nn.Linear(dim, vocab)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places[: ids.size(1)]
        q, k, v = self.qkv(x).chunk(3, -1)
        x = x + fn.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.unembed(x)

    def loss(self, ids: Tensor) -> Tensor:
        return fn.cross_entropy(self(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())

    def predict_proba(self, ids: Tensor) -> Tensor:
        return fn.softmax(self(ids[:, -self.ctx:])[:, -1], dim=-1)

    @torch.no_grad()
    def compose(self, ids: Tensor, lines: int, temperature: float = 0.9) -> Tensor:
        for _ in range(lines * 12):
            p = self.predict_proba(ids)
            p = torch.softmax(p / temperature, dim=-1)  # SICK
            ids = torch.cat([ids, p.multinomial(1)], dim=1)
        return ids
