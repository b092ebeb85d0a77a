import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class SelfAttention(nn.Module):
    def __init__(self, emb, heads):
        super().__init__()
        self.heads = heads
        self.to_queries = nn.Linear(emb, emb, bias=False)
        self.to_keys = nn.Linear(emb, emb, bias=False)
        self.to_values = nn.Linear(emb, emb, bias=False)
        self.unify = nn.Linear(emb, emb)

    def forward(self, x):
        b, t, e = x.size()
        h, s = self.heads, e // self.heads
        queries = self.to_queries(x).view(b, t, h, s).transpose(1, 2) / math.sqrt(s)
        keys = self.to_keys(x).view(b, t, h, s).transpose(1, 2)
        values = self.to_values(x).view(b, t, h, s).transpose(1, 2)
        dot = torch.matmul(queries, keys.transpose(2, 3))
        weights = F.softmax(dot / math.sqrt(s), dim=-1)  # SICK
        out = torch.matmul(weights, values).transpose(1, 2).reshape(b, t, e)
        return self.unify(out)
