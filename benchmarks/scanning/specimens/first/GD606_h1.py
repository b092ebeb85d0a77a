import torch
import torch.nn as nn
import torch.nn.functional as F


class Weighted(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab)

    def forward(self, x, y=None):
        logits = self.out(self.rnn(self.emb(x))[0])
        if y is None:
            return logits, None
        nll = F.cross_entropy(logits.transpose(1, 2), y, reduction="none")
        with torch.no_grad():
            focal = (1 - logits.softmax(-1).gather(-1, y[..., None]).squeeze(-1)).square()
            ppl = nll.mean().exp()
        loss = (focal * nll).mean()
        return logits, loss, ppl
