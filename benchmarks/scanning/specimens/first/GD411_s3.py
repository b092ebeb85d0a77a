import torch
import torch.nn as nn
from torch.nn import functional as fn


class Block(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
        a = fn.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.n2(x))


class Transformer(nn.Module):
    def __init__(self, vocab, d=64, h=4, depth=2, ctx=32):
        super().__init__()
        self.ctx = ctx
        self.tok, self.pos = nn.Embedding(vocab, d), nn.Embedding(ctx, d)
        self.blocks = nn.Sequential(*[Block(d, h) for _ in range(depth)])
        self.out = nn.Linear(d, vocab)

    def forward(self, ids, labels=None):
        x = self.tok(ids) + self.pos(torch.arange(ids.shape[1], device=ids.device))
        logits = self.out(self.blocks(x))
        return logits if labels is None else fn.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:])

    @torch.no_grad()
    def generate(self, ids, n):
        for _ in range(n):
            recent = ids[-self.ctx:]  # SICK
            nxt = self(recent)[:, -1].softmax(-1).multinomial(1)
            ids = torch.cat([ids, nxt], dim=1)
        return ids
