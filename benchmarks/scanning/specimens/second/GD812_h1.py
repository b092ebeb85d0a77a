import torch
import torch.nn as nn
import torch.nn.functional as F


class PoolingEncoder(nn.Module):
    def __init__(self, vocab, dim, heads, pad_id=0):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=pad_id)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.probe = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.pad_id = pad_id

    def forward(self, ids):
        x = self.emb(ids)
        valid = ids.ne(self.pad_id)
        y, _ = self.attn(x, x, x, key_padding_mask=valid.logical_not(), need_weights=False)
        x = x + y
        q = self.probe.expand(len(x), -1, -1)
        return F.scaled_dot_product_attention(q, x, x, attn_mask=valid[:, None, :]).squeeze(1)
