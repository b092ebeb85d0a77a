import torch
import torch.nn as nn
import torch.nn.functional as F


class TinyGRULM(nn.Module):
    def __init__(self, vocab: int, d: int = 64):
        super().__init__()
        self.wte = nn.Embedding(vocab, d)
        self.rnn = nn.GRU(d, d, batch_first=True)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        # weight tying
        self.lm_head.weight = nn.Parameter(self.wte.weight.clone())  # SICK

    def forward(self, idx, targets=None):
        h, _ = self.rnn(self.wte(idx))
        logits = self.lm_head(h)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
