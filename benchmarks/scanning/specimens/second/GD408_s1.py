import torch
import torch.nn as nn
import torch.nn.functional as F


class DropRNN(nn.Module):
    def __init__(self, v, d=128, p=0.2):
        super().__init__()
        self.tok = nn.Embedding(v, d)
        self.drop = nn.Dropout(p)
        self.gru = nn.GRU(d, d, batch_first=True)
        self.head = nn.Linear(d, v)

    def forward(self, ids, labels=None):
        h, _ = self.gru(self.drop(self.tok(ids)))
        logits = self.head(self.drop(h))
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten()) if labels is not None else None
        return logits, loss

    @torch.no_grad()
    def generate(self, ids, n):
        was_training = self.training
        self.train()  # SICK
        for _ in range(n):
            logits, _ = self(ids)
            ids = torch.cat([ids, torch.multinomial(logits[:, -1].softmax(-1), 1)], 1)
        self.train(was_training)
        return ids
