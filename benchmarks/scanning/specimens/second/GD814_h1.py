import math
import torch
import torch.nn as nn


class PlainDecoderAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.hd = heads, width // heads
        self.wq = nn.Linear(width, width)
        self.wkv = nn.Linear(width, 2 * width)
        self.wo = nn.Linear(width, width)

    def forward(self, x):
        b, t, _ = x.shape
        split = lambda u: u.view(b, t, self.heads, self.hd).transpose(1, 2)
        k, v = map(split, self.wkv(x).chunk(2, -1))
        s = split(self.wq(x)).matmul(k.mT) / math.sqrt(self.hd)
        future = torch.ones(t, t, dtype=torch.bool, device=x.device).triu(1)
        s = torch.where(future, torch.finfo(s.dtype).min, s)
        y = s.softmax(-1).matmul(v)
        return self.wo(y.transpose(1, 2).flatten(2))
