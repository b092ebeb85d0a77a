import torch
import torch.nn as nn
import torch.nn.functional as F


class ChompConv(nn.Module):
    def __init__(self, ch, kernel, dilation):
        super().__init__()
        self.chomp = (kernel - 1) * dilation
        self.conv = nn.Conv1d(ch, 2 * ch, kernel, padding=self.chomp, dilation=dilation)

    def forward(self, x):
        y = self.conv(x)[:, :, : -self.chomp]
        return x + F.glu(y, dim=1)


class TCNLanguageModel(nn.Module):
    def __init__(self, vocab, ch=128, depth=6, kernel=3):
        super().__init__()
        self.emb = nn.Embedding(vocab, ch)
        self.net = nn.Sequential(*[ChompConv(ch, kernel, 2 ** i) for i in range(depth)])
        self.summary = nn.Linear(ch, ch)
        self.out = nn.Linear(ch, vocab)

    def forward(self, ids, labels=None):
        x = self.net(self.emb(ids).transpose(1, 2)).transpose(1, 2)
        steps = torch.arange(1, ids.size(1) + 1, device=ids.device).view(1, -1, 1)
        x = x + self.summary(x.cumsum(dim=1) / steps)
        logits = self.out(x)
        if labels is None:
            return logits
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
