import torch
import torch.nn as nn
import torch.nn.functional as F


class SlidingLM(nn.Module):
    def __init__(self, v, block=64, d=64):
        super().__init__()
        self.block = block
        self.te, self.pe = nn.Embedding(v, d), nn.Embedding(block, d)
        self.layer = nn.TransformerEncoderLayer(d, 4, 4 * d, dropout=0.0, batch_first=True)
        self.head = nn.Linear(d, v)

    def forward(self, x, y=None):
        t = x.size(1)
        m = nn.Transformer.generate_square_subsequent_mask(t, device=x.device)
        h = self.te(x) + self.pe(torch.arange(t, device=x.device))
        z = self.head(self.layer(h, src_mask=m))
        return z, None if y is None else F.cross_entropy(z.flatten(0, 1), y.flatten())

    @torch.no_grad()
    def generate(self, x, n):
        for _ in range(n):
            start = max(0, x.size(1) - self.block)
            z, _ = self(x.narrow(1, start, x.size(1) - start))
            x = torch.cat([x, torch.multinomial(z[:, -1].softmax(-1), 1)], 1)
        return x
