import torch
import torch.nn as nn
import torch.nn.functional as F


class DiaryLM(nn.Module):
    def __init__(self, vocab, d=64, context=40):
        super().__init__()
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Embedding(context, d)
        self.qkv = nn.Linear(d, 3 * d)
        self.head = nn.Linear(d, vocab)

    def forward(self, ids):
        x = self.tok(ids) + self.pos.weight[: ids.size(1)]
        q, k, v = self.qkv(x).tensor_split(3, dim=-1)
        return self.head(x + F.scaled_dot_product_attention(q, k, v, is_causal=True))

    def loss(self, ids):
        return F.cross_entropy(self(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())

    def _crop(self, ids):
        limit = self.pos.num_embeddings
        surplus = max(0, ids.size(1) - limit)
        return ids.narrow(1, surplus, ids.size(1) - surplus)

    @torch.no_grad()
    def generate(self, ids, n):
        for _ in range(n):
            logits = self(self._crop(ids))[:, -1]
            ids = torch.cat([ids, logits.softmax(-1).multinomial(1)], dim=1)
        return ids
