import torch
import torch.nn as nn
import torch.nn.functional as F


class DualEncoder(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.left = nn.Linear(d_in, d_out)
        self.right = nn.Linear(d_in, d_out)
        self.log_scale = nn.Parameter(torch.tensor(2.6593))

    def pooled(self, layer, seq):
        z = layer(seq)
        weights = torch.softmax((z @ z.mT) / z.size(-1) ** 0.5, dim=-1)
        return F.normalize((weights @ z).mean(dim=1), dim=-1)

    def forward(self, a, b):
        za, zb = self.pooled(self.left, a), self.pooled(self.right, b)
        logits = self.log_scale.exp() * za @ zb.T
        target = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2
