import torch
import torch.nn as nn
import torch.nn.functional as F


class PixelGRU(nn.Module):
    def __init__(self, levels=16, dim=96):
        super().__init__()
        self.levels = levels
        self.emb = nn.Embedding(levels + 1, dim)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.to_level = nn.Linear(dim, levels)

    def forward(self, pixels):
        start = pixels.new_full((pixels.size(0), 1), self.levels)
        h, _ = self.gru(self.emb(torch.cat([start, pixels[:, :-1]], dim=1)))
        logits = self.to_level(h)
        return F.cross_entropy(logits.flatten(0, 1), pixels.flatten())

    def step(self, pixel, state):
        h, state = self.gru(self.emb(pixel), state)
        return self.to_level(h[:, -1]), state

    def generate(self, n, size, device=None):
        with torch.inference_mode():
            pixel = torch.full((n, 1), self.levels, device=device)
            state, out = None, []
            for _ in range(size):
                logits, state = self.step(pixel, state)
                pixel = torch.multinomial(logits.softmax(-1), 1)
                out.append(pixel)
            return torch.cat(out, dim=1)
