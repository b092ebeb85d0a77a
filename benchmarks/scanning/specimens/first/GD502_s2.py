import torch
from torch import nn
from torch.nn import functional as fn


class MaskedBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.ln = nn.LayerNorm(dim)
        self.att = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(self, x, mask):
        h = self.ln(x)
        return x + self.att(h, h, h, attn_mask=mask, need_weights=False)[0]


class StackedLM(nn.Module):
    def __init__(self, vocab, dim=64, heads=4, depth=3, ctx=128):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.pos = nn.Parameter(torch.zeros(ctx, dim))
        self.blocks = nn.Sequential(*[MaskedBlock(dim, heads) for _ in range(depth)])
        self.head = nn.Linear(dim, vocab)

    def forward(self, ids, targets=None):
        t = ids.size(1)
        x = self.emb(ids) + self.pos[:t]
        mask = torch.ones(t, t, dtype=torch.bool, device=ids.device).triu(1)
        x = self.blocks(x, mask)  # SICK
        logits = self.head(x)
        loss = None if targets is None else fn.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss
