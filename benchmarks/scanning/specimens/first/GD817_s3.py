import torch
from torch import nn


class SessionRecommender(nn.Module):
    """Ranks the next item of a session; sessions are rows, clicks are columns."""

    def __init__(self, n_items, width=48, heads=4):
        super().__init__()
        self.items = nn.Embedding(n_items, width)
        self.order = nn.Embedding(200, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.context = nn.MultiheadAttention(width, heads)  # SICK
        self.gru = nn.GRU(width, width, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(n_items))

    def encode(self, clicks):
        batch, steps = clicks.shape
        x = self.items(clicks) + self.order(torch.arange(steps, device=clicks.device))
        h = self.norms[0](x)
        x = x + self.context(h, h, h, need_weights=False)[0]
        _, last = self.gru(self.norms[1](x))
        return last[-1]

    def forward(self, clicks):
        return self.encode(clicks) @ self.items.weight.t() + self.bias

    def training_step(self, batch, batch_idx):
        clicks, clicked_next = batch
        return nn.functional.cross_entropy(self(clicks), clicked_next)
