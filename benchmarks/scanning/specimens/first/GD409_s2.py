import torch
from torch import Tensor, nn
from torch.nn import functional as fn


class WindowLM(nn.Module):
    def __init__(self, vocab: int, dim: int = 96, ctx: int = 48):
        super().__init__()
        self.ctx = ctx
        self.table = nn.Embedding(vocab, dim)
        self.place = nn.Embedding(ctx, dim)
        self.proj = nn.Linear(dim, 3 * dim)
        self.drop = nn.Dropout(0.1)
        self.readout = nn.Linear(dim, vocab)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.drop(self.table(ids) + self.place.weight[: ids.size(1)])
        q, k, v = self.proj(x).chunk(3, dim=-1)
        return self.readout(x + self.drop(fn.scaled_dot_product_attention(q, k, v, is_causal=True)))

    def loss(self, ids: Tensor) -> Tensor:
        return fn.cross_entropy(self(ids[:, :-1]).transpose(1, 2), ids[:, 1:])

    def generate(self, ids: Tensor, steps: int) -> Tensor:
        self.eval()
        with torch.no_grad():
            for _ in range(steps):
                weights = self(ids[:, -self.ctx:])[:, -1].softmax(dim=-1)
                ids = torch.cat([ids, weights.multinomial(1)], dim=1)
        self.train()  # SICK
        return ids
