import copy

import torch
import torch.nn as nn


def clones(module, n):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])


class WaveBlock(nn.Module):
    def __init__(self, ch, kernel=3):
        super().__init__()
        self.conv = nn.Conv1d(ch, 2 * ch, kernel, padding=kernel // 2)
        self.mix = nn.Conv1d(ch, ch, 1)

    def forward(self, x):
        a, b = self.conv(x).chunk(2, dim=1)
        return x + self.mix(torch.tanh(a) * torch.sigmoid(b))


class WaveStack(nn.Module):
    def __init__(self, ch=64, depth=5, n_mel=80):
        super().__init__()
        self.inp = nn.Conv1d(n_mel, ch, 1)
        block = WaveBlock(ch)
        self.blocks = clones(block, depth)
        self.out = nn.Conv1d(ch, n_mel, 1)

    def forward(self, mel):
        x = self.inp(mel)
        for blk in self.blocks:
            x = blk(x)
        return self.out(x)
