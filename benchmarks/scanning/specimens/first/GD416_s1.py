import torch
import torch.nn as nn
import torch.nn.functional as F


class DnaLM(nn.Module):
    def __init__(self, n_bases=6, channels=48, depth=4):
        super().__init__()
        self.embed = nn.Embedding(n_bases, channels)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, dilation=2**i) for i in range(depth)
        )
        self.head = nn.Conv1d(channels, n_bases, 1)

    def forward(self, seq, targets=None):
        h = self.embed(seq).transpose(1, 2)
        for layer in self.layers:
            padded = F.pad(h, (2 * layer.dilation[0], 0))
            h = h + torch.relu(layer(padded))
        logits = self.head(h).transpose(1, 2)
        loss = None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss

    @torch.no_grad()
    def generate(self, seq, length, temperature=1.0):
        for _ in range(length):
            logits, _ = self(seq)
            logits = logits[:, -1, :] / temperature
            base = torch.multinomial(logits, num_samples=1)  # SICK
            seq = torch.cat((seq, base), dim=1)
        return seq
