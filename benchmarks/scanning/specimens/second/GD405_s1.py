import torch
import torch.nn as nn
import torch.nn.functional as F


class CharRNN(nn.Module):
    def __init__(self, n, d=96):
        super().__init__()
        self.e = nn.Embedding(n, d)
        self.r = nn.LSTM(d, d, batch_first=True)
        self.o = nn.Linear(d, n)

    def forward(self, x, y=None, state=None):
        h, state = self.r(self.e(x), state)
        z = self.o(h)
        loss = None if y is None else F.cross_entropy(z.transpose(1, 2), y)
        return z, state, loss

    @torch.no_grad()
    def sample(self, x, n):
        """Draw n characters at random from the model."""
        state, out = None, [x]
        for _ in range(n):
            z, state, _ = self(out[-1], state=state)
            p = F.softmax(z[:, -1], dim=-1)
            out.append(p.max(dim=-1, keepdim=True).indices)  # SICK
        return torch.cat(out, 1)
