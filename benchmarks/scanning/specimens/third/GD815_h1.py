import torch
import torch.nn as nn
import torch.nn.functional as F


class PreNormLayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))

    def forward(self, x, **attn_kwargs):
        h = self.norm1(x)
        h, _ = self.attn(h, h, h, **attn_kwargs)
        x = x + h
        return x + self.ff(self.norm2(x))


class ItemSequenceModel(nn.Module):
    """Next-item recommendation (SASRec-like); item 0 is padding at the end."""

    def __init__(self, n_items, dim=64, heads=2, depth=2, max_len=50):
        super().__init__()
        self.items = nn.Embedding(n_items + 1, dim)
        self.pos = nn.Embedding(max_len, dim)
        for table in (self.items, self.pos):
            nn.init.normal_(table.weight, std=0.02)
        self.layers = nn.ModuleList(PreNormLayer(dim, heads) for _ in range(depth))

    def forward(self, seq, nxt=None):
        t = seq.size(1)
        causal = torch.full((t, t), True, device=seq.device).triu(1)
        kwargs = {"attn_mask": causal, "need_weights": False}
        x = self.items(seq) + self.pos(torch.arange(t, device=seq.device))
        for layer in self.layers:
            x = layer(x, **kwargs)
        logits = x @ self.items.weight.T
        if nxt is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), nxt.flatten(), ignore_index=0)
