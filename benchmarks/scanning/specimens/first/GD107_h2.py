import torch
from torch import nn
import torch.nn.functional as F


class CausalAverager(nn.Module):
    def __init__(self, vocab, d):
        super().__init__()
        self.embed_in = nn.Embedding(vocab, d)
        self.value = nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.SiLU(), nn.Linear(2 * d, d))
        self.embed_out = nn.Linear(d, vocab, bias=False)
        self.tie_weights()

    def tie_weights(self):
        self.embed_out.weight = self.embed_in.weight

    def resize_token_embeddings(self, n):
        old = self.embed_in.weight.data
        self.embed_in = nn.Embedding(n, old.size(1))
        keep = min(n, old.size(0))
        self.embed_in.weight.data[:keep] = old[:keep]
        self.embed_out = nn.Linear(old.size(1), n, bias=False)
        self.tie_weights()
        return self

    def forward(self, ids, labels=None):
        x = self.embed_in(ids)
        count = torch.arange(1, ids.size(1) + 1, device=ids.device).view(1, -1, 1)
        x = x + self.value(x).cumsum(dim=1) / count
        logits = self.embed_out(x + self.mlp(x))
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return loss, logits
