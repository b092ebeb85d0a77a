import torch
import torch.nn as nn
import torch.nn.functional as F


class LyricsLM(nn.Module):
    def __init__(self, vocab, dim=128):
        super().__init__()
        self.inp = nn.Embedding(vocab, dim)
        self.core = nn.GRU(dim, dim, batch_first=True)
        self.outp = nn.Linear(dim, vocab)

    def forward(self, ids, labels=None):
        logits = self.outp(self.core(self.inp(ids))[0])
        if labels is None:
            return logits
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())

    @torch.no_grad()
    def sample(self, ids, steps, do_sample=True):
        for _ in range(steps):
            last = self(ids)[:, -1]
            if do_sample:
                nxt = torch.multinomial(last.softmax(-1), num_samples=1)
            else:
                _, nxt = torch.topk(last, k=1, dim=-1)
            ids = torch.cat((ids, nxt), dim=1)
        return ids
