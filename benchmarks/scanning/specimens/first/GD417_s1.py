import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


class ChordModel(nn.Module):
    def __init__(self, chords, width=96):
        super().__init__()
        self.chord_emb = nn.Embedding(chords, width)
        self.backbone = nn.GRU(width, width, 2, batch_first=True)
        self.classifier = nn.Linear(width, chords)

    def forward(self, seq, labels=None):
        logits = self.classifier(self.backbone(self.chord_emb(seq))[0])
        if labels is not None:
            return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return logits

    @torch.no_grad()
    def generate(self, seq, bars, temperature=1.0):
        for _ in range(bars):
            probs = F.softmax(self(seq)[:, -1] / temperature, dim=-1)
            m = Categorical(logits=probs)  # SICK
            seq = torch.cat([seq, m.sample().unsqueeze(1)], dim=1)
        return seq
