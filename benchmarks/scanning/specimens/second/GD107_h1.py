import torch.nn as nn
import torch.nn.functional as F


class TiedGRULM(nn.Module):
    def __init__(self, vocab: int, d: int = 64):
        super().__init__()
        self.wte = nn.Embedding(vocab, d)
        nn.init.normal_(self.wte.weight, std=0.02)
        self.rnn = nn.GRU(d, d, batch_first=True)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        self.tie_weights()

    def tie_weights(self):
        shared = self.wte.weight
        self.lm_head.weight = shared

    def forward(self, idx, targets=None):
        h, _ = self.rnn(self.wte(idx))
        logits = self.lm_head(h)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
