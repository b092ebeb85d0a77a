from torch import nn
import torch.nn.functional as F


class WordGRU(nn.Module):
    def __init__(self, n_words, emb=256, hid=512):
        super().__init__()
        self.project = nn.Sequential(nn.Linear(hid, emb), nn.Tanh())
        self.readout = nn.Linear(emb, n_words)
        nn.init.normal_(self.readout.weight, std=emb ** -0.5)
        self.lookup = nn.Embedding(n_words, emb, _weight=self.readout.weight.data)
        self.lookup.weight = self.readout.weight
        self.gru = nn.GRU(emb, hid, batch_first=True)

    def forward(self, x):
        h, _ = self.gru(self.lookup(x))
        return self.readout(self.project(h))

    def step_loss(self, x):
        scores = self.forward(x[:, :-1]).transpose(1, 2)
        return F.cross_entropy(scores, x[:, 1:])
