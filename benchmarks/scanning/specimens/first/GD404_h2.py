import torch
import torch.nn as nn
import torch.nn.functional as F


class TraceLM(nn.Module):
    def __init__(self, n, d=64):
        super().__init__()
        self.e = nn.Embedding(n, d)
        self.r = nn.GRU(d, d, batch_first=True)
        self.o = nn.Linear(d, n)

    def forward(self, x, y=None):
        z = self.o(self.r(self.e(x))[0])
        return (z, F.cross_entropy(z.flatten(0, 1), y.flatten())) if y is not None else (z, None)

    @torch.no_grad()
    def generate(self, x, steps, temperature=1.0, min_p=0.05):
        for _ in range(steps):
            z, _ = self(x)
            probs = F.softmax(z[:, -1] / temperature, dim=-1)
            ceiling = probs.amax(dim=-1, keepdim=True)
            probs = torch.where(probs < min_p * ceiling, torch.zeros_like(probs), probs)
            probs = probs / probs.sum(dim=-1, keepdim=True)
            x = torch.cat([x, torch.multinomial(probs, 1)], dim=1)
        return x
