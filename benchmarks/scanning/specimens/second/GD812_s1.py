import torch
import torch.nn as nn


class TextEncoder(nn.Module):
    def __init__(self, vocab, dim, heads, pad_id=0):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=pad_id)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.pad_id = pad_id

    def forward(self, ids):
        x = self.emb(ids)
        valid = ids.ne(self.pad_id)
        y, _ = self.attn(x, x, x, key_padding_mask=valid, need_weights=False)  # SICK
        x = self.norm(x + y)
        return (x * valid.unsqueeze(-1)).sum(1) / valid.sum(1, keepdim=True).clamp_min(1)
