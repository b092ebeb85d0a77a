import torch
import torch.nn as nn


class Attend(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.norm = nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.h, -1)).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(y.transpose(1, 2).flatten(2))


class FlatLM(nn.Module):
    def __init__(self, vocab=400, d=64, h=4, n=3, ctx=128):
        super().__init__()
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Parameter(0.02 * torch.randn(ctx, d))
        self.layers = nn.Sequential(*[Attend(d, h) for _ in range(n)], nn.LayerNorm(d))
        self.to_vocab = nn.Linear(d, vocab)

    def loss(self, logits, labels):
        logp = torch.log_softmax(logits, dim=-1).flatten(0, 1)
        y = labels.flatten()
        return -logp[:-1].gather(1, y[1:, None]).mean()  # SICK

    def forward(self, ids, labels=None):
        logits = self.to_vocab(self.layers(self.tok(ids) + self.pos[: ids.shape[1]]))
        return logits if labels is None else self.loss(logits, labels)
