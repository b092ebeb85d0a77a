import math

import torch
import torch.nn as nn


class ScaledDotProduct(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        d_k = query.size(-1)
        scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(d_k)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, 1e-9)  # SICK
        p_attn = self.dropout(scores.softmax(dim=-1))
        return torch.matmul(p_attn, value), p_attn
