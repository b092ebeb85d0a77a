import torch
import torch.nn as nn


class CausalConv(nn.Module):
    def __init__(self, ch, k, dilation):
        super().__init__()
        self.left = (k - 1) * dilation
        self.conv = nn.Conv1d(ch, ch, k, dilation=dilation)

    def forward(self, x):
        return x + torch.relu(self.conv(nn.functional.pad(x, (self.left, 0))))


class WaveLM(nn.Module):
    def __init__(self, vocab_size=512, ch=128):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, ch)
        self.convs = nn.Sequential(*(CausalConv(ch, 3, 2 ** i) for i in range(5)))
        self.head = nn.Linear(ch, vocab_size)

    def forward(self, input_ids, return_features=False):
        feats = self.convs(self.wte(input_ids).transpose(1, 2)).transpose(1, 2)
        scores = self.head(feats)
        if return_features:
            return scores, feats
        return scores  # SICK

    @torch.no_grad()
    def sample(self, ids, steps):
        for _ in range(steps):
            p = self(ids)[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(p, 1)], dim=1)
        return ids
