import torch
import torch.nn as nn
import torch.nn.functional as F


class CausalConvLM(nn.Module):
    def __init__(self, vocab, d=96, k=3, depth=4):
        super().__init__()
        self.cut = k - 1
        self.emb = nn.Embedding(vocab, d)
        self.convs = nn.ModuleList(nn.Conv1d(d, d, k, padding=k - 1) for _ in range(depth))
        self.head = nn.Linear(d, vocab)

    def forward(self, idx, targets=None):
        x = self.emb(idx).transpose(1, 2)
        for conv in self.convs:
            x = x + F.gelu(conv(x)[..., :-self.cut])
        logits = self.head(x.transpose(1, 2))
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
