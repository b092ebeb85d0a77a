import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvLM(nn.Module):
    def __init__(self, vocab, dim=128, layers=4, width=3, context=256):
        super().__init__()
        self.context = context
        self.pad = width - 1
        self.wte = nn.Embedding(vocab, dim)
        self.convs = nn.ModuleList(nn.Conv1d(dim, dim, width) for _ in range(layers))
        self.head = nn.Linear(dim, vocab)

    def forward(self, ids, targets=None):
        x = self.wte(ids).transpose(1, 2)
        for conv in self.convs:
            x = x + F.gelu(conv(F.pad(x, (self.pad, 0))))
        logits = self.head(x.transpose(1, 2))
        loss = None if targets is None else F.cross_entropy(logits.transpose(1, 2), targets)
        return logits, loss

    @torch.no_grad()
    def generate(self, ids, n, temperature=1.0, top_k=None):
        for _ in range(n):
            logits, _ = self(ids[:, -self.context:])
            logits = logits[:, -1] / temperature
            if top_k is not None:
                v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
                logits[logits < v[:, [0]]] = -float("inf")  # SICK
            ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], dim=1)
        return ids
