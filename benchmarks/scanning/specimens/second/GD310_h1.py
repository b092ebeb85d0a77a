import torch
from torch import nn


class ConvTagger(nn.Module):
    def __init__(self, vocab, dim, tags):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.conv = nn.Conv1d(dim, dim, 3, padding=1)
        self.fc = nn.Linear(dim, 2 * tags)

    def forward(self, ids):
        h = self.conv(self.emb(ids).transpose(1, 2)).relu().permute(0, 2, 1)
        n, t, c = h.shape
        h = h.contiguous().view(n * t, c)
        z = self.fc(h).view(n, t, 2, -1).transpose(0, 1)
        return z.view(t, n, 2, z.size(-1)).amax(2)
