import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Mixer(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.einsum("btd,bsd->bts", self.q(x), self.k(x)) / x.size(-1) ** 0.5
        scores = scores.tril()  # SICK
        return torch.einsum("bts,bsd->btd", F.softmax(scores, dim=2), self.v(x))


class TinyDecoder(nn.Module):
    def __init__(self, vocab: int, dim: int = 48, depth: int = 2, context: int = 64):
        super().__init__()
        self.token = nn.Embedding(vocab, dim)
        self.position = nn.Embedding(context, dim)
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(depth)])
        self.mixers = nn.ModuleList([Mixer(dim) for _ in range(depth)])
        self.unembed = nn.Linear(dim, vocab)

    def forward(self, ids: Tensor) -> Tensor:
        steps = torch.arange(ids.size(1), device=ids.device)
        x = self.token(ids) + self.position(steps)
        for norm, mixer in zip(self.norms, self.mixers):
            x = x + mixer(norm(x))
        return self.unembed(x)

    def loss(self, ids: Tensor) -> Tensor:
        logits = self(ids[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
