import torch
import torch.nn as nn
import torch.nn.functional as F


class EventModel(nn.Module):
    def __init__(self, n_events: int, d: int = 80):
        super().__init__()
        self.table = nn.Embedding(n_events, d)
        self.past = nn.GRU(d, d, batch_first=True)
        self.read = nn.Linear(d, n_events)

    def forward(self, events, targets=None):
        logits = self.read(self.past(self.table(events))[0])
        if targets is not None:
            return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits

    @torch.no_grad()
    def simulate(self, events, horizon, temperature=1.0):
        beta = 1.0 / temperature
        for _ in range(horizon):
            last = self(events)[:, -1]
            p = (beta * last).softmax(dim=-1)
            events = torch.cat([events, p.multinomial(1)], dim=1)
        return events
