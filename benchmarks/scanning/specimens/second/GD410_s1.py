import torch
import torch.nn as nn
import torch.nn.functional as F


class MelodyNet(nn.Module):
    def __init__(self, notes: int, width: int = 64):
        super().__init__()
        self.notes = nn.Embedding(notes, width)
        self.cell = nn.GRUCell(width, width)
        self.head = nn.Linear(width, notes)

    def forward(self, note, h=None):
        h = self.cell(self.notes(note), h)
        return self.head(h), h

    def training_step(self, seq):
        h, total = None, 0.0
        for a, b in zip(seq.unbind(1)[:-1], seq.unbind(1)[1:]):
            z, h = self(a, h)
            total = total + F.cross_entropy(z, b)
        return total / (seq.size(1) - 1)

    def generate(self, note, steps):
        h, tune = None, [note]
        for _ in range(steps):
            z, h = self(tune[-1], h)  # SICK
            tune.append(torch.multinomial(F.softmax(z, -1), 1).squeeze(1))
        return torch.stack(tune, 1)
