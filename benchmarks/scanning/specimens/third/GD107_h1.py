import torch
import torch.nn as nn
import torch.nn.functional as F


class TinyGRULM(nn.Module):
    def __init__(self, n_vocab: int, d: int):
        super().__init__()
        self.lm_head = nn.Linear(d, n_vocab, bias=False)
        self.wte = nn.Embedding(n_vocab, d)
        self.gru = nn.GRU(d, d, batch_first=True)
        self.apply(self._init)
        self.wte.weight = self.output_weight()

    def output_weight(self):
        return self.lm_head.weight

    @staticmethod
    def _init(m):
        if isinstance(m, (nn.Linear, nn.Embedding)):
            nn.init.normal_(m.weight, std=0.02)

    def forward(self, ids):
        h, _ = self.gru(self.wte(ids))
        return self.lm_head(h)

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return F.cross_entropy(logits.reshape(-1, logits.size(-1)), ids[:, 1:].reshape(-1))


lm = TinyGRULM(1000, 64)
assert lm.wte.weight is lm.lm_head.weight
