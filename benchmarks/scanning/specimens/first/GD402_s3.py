import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


def warp(logits, *, temperature=1.0, top_p=1.0):
    if temperature != 1.0:
        logits = logits - logits.amax(dim=-1, keepdim=True)  # SICK
    if top_p < 1.0:
        ordered, order = logits.sort(dim=-1, descending=True)
        p = ordered.softmax(dim=-1)
        drop = p.cumsum(dim=-1) - p > top_p
        logits = logits.masked_fill(drop.scatter(-1, order, drop), float("-inf"))
    return logits


class MelodyModel(nn.Module):
    def __init__(self, n_notes=128, d=256):
        super().__init__()
        self.note = nn.Embedding(n_notes, d)
        self.memory = nn.GRU(d, d, 2, batch_first=True)
        self.out = nn.Linear(d, n_notes)

    def forward(self, notes):
        return self.out(self.memory(self.note(notes))[0])

    def training_loss(self, notes):
        pred = self(notes[:, :-1])
        return F.cross_entropy(pred.permute(0, 2, 1), notes[:, 1:])

    @torch.no_grad()
    def improvise(self, notes, bars, temperature=1.1, top_p=0.95):
        for _ in range(bars * 16):
            logits = warp(self(notes)[:, -1], temperature=temperature, top_p=top_p)
            notes = torch.cat([notes, Categorical(logits=logits).sample()[:, None]], dim=1)
        return notes
