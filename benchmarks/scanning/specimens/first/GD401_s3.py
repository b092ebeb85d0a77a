from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as fn


@dataclass
class DecodeOptions:
    max_new_tokens: int = 64
    temperature: float = 0.7


class PoolLM(nn.Module):
    """Running-average context model."""

    def __init__(self, vocab: int, dim: int = 96):
        super().__init__()
        self.tok = nn.Embedding(vocab, dim)
        self.mlp = nn.Sequential(nn.Linear(2 * dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.to_vocab = nn.Linear(dim, vocab)

    def forward(self, ids):
        e = self.tok(ids)
        steps = torch.arange(1, ids.size(1) + 1, device=ids.device).view(1, -1, 1)
        past = e.cumsum(dim=1) / steps
        return self.to_vocab(e + self.mlp(torch.cat([e, past], dim=-1)))

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return fn.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, opts: DecodeOptions):
        for _ in range(opts.max_new_tokens):
            last = self(ids)[:, -1]
            choice = self._pick(last, opts.temperature)
            ids = torch.cat([ids, choice.unsqueeze(1)], dim=1)
        return ids

    def _pick(self, last, temperature):
        scaled = last / max(temperature, 1e-5)
        return scaled.argmax(-1)  # SICK
