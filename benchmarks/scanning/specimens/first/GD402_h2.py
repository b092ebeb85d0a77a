import torch
import torch.nn as nn
import torch.nn.functional as F


class NameModel(nn.Module):
    def __init__(self, chars, dim=64):
        super().__init__()
        self.emb = nn.Embedding(chars, dim)
        self.rnn = nn.RNN(dim, dim, batch_first=True)
        self.fc = nn.Linear(dim, chars)

    def forward(self, x, y=None):
        logits = self.fc(self.rnn(self.emb(x))[0])
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten()) if y is not None else None
        return logits, loss

    @torch.no_grad()
    def generate(self, x, n, temperature=1.0):
        step = self._greedy if temperature <= 0 else self._stochastic
        for _ in range(n):
            last = self(x)[0][:, -1]
            x = torch.cat([x, step(last, temperature)], dim=1)
        return x

    def _greedy(self, last, temperature):
        return last.argmax(-1, keepdim=True)

    def _stochastic(self, last, temperature):
        # the inverse is folded into the exponent
        weights = torch.exp((last - last.amax(-1, keepdim=True)) / temperature)
        return torch.multinomial(weights, 1)
