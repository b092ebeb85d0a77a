import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


class ByteRNN(nn.Module):
    def __init__(self, d=96):
        super().__init__()
        self.e = nn.Embedding(256, d)
        self.r = nn.LSTM(d, d, batch_first=True)
        self.o = nn.Linear(d, 256)

    def forward(self, x, y=None, state=None):
        h, state = self.r(self.e(x), state)
        z = self.o(h)
        loss = None if y is None else F.cross_entropy(z.transpose(1, 2), y)
        return z, state, loss

    @torch.no_grad()
    def decode(self, x, n, do_sample=True):
        state, out = None, [x]
        for _ in range(n):
            z, state, _ = self(out[-1], state=state)
            z = z[:, -1]
            tok = Categorical(logits=z).sample() if do_sample else z.argmax(-1)
            out.append(tok[:, None])
        return torch.cat(out, 1)
