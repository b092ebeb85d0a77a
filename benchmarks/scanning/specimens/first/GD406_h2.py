import torch
import torch.nn as nn
import torch.nn.functional as F


class ClickstreamLM(nn.Module):
    def __init__(self, n_items, d=64):
        super().__init__()
        self.items = nn.Embedding(n_items, d)
        self.gru = nn.GRU(d, d, batch_first=True)

    def forward(self, seq):
        h, _ = self.gru(self.items(seq))
        return h @ self.items.weight.t()

    def loss(self, seq):
        return F.cross_entropy(self(seq[:, :-1]).flatten(0, 1), seq[:, 1:].flatten())

    @torch.no_grad()
    def rollout(self, seq, steps, top_k=20):
        for _ in range(steps):
            values, items = torch.topk(self(seq)[:, -1], top_k, dim=-1, sorted=False)
            slot = torch.multinomial(F.softmax(values, dim=-1), 1)
            seq = torch.cat([seq, torch.gather(items, 1, slot)], dim=1)
        return seq

    @torch.no_grad()
    def never_clicked(self, seq, k=5):
        """Items the shop can stop showing."""
        return torch.topk(self(seq)[:, -1], k, dim=-1, largest=False).indices
