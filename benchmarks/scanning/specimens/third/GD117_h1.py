import torch
import torch.nn as nn
import torch.nn.functional as F


class ScaledEmbedding(nn.Embedding):
    def forward(self, ids):
        return super().forward(ids) * self.embedding_dim ** 0.5


class PaddedConv(nn.Conv1d):
    """Convolution that pads only on the left."""

    def forward(self, x):
        pad = (self.kernel_size[0] - 1) * self.dilation[0]
        return nn.Conv1d.forward(self, F.pad(x, (pad, 0)))


class EventClassifier(nn.Module):
    def __init__(self, n_events, dim=64, n_out=3):
        super().__init__()
        self.emb = ScaledEmbedding(n_events, dim)
        nn.init.normal_(self.emb.weight, std=dim ** -0.5)
        self.convs = nn.ModuleList(PaddedConv(dim, dim, 3, dilation=2 ** i) for i in range(4))
        self.fc = nn.Linear(dim, n_out)

    def forward(self, events):
        x = self.emb(events).transpose(1, 2)
        for conv in self.convs:
            x = x + F.relu(conv(x))
        return self.fc(x[:, :, -1])
