import math
import torch
import torch.nn as nn


class ColumnHead(nn.Module):
    """Scores are kept as (key, query)."""

    def __init__(self, n_embd, head_size, block_size):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer("allowed", torch.triu(torch.ones(block_size, block_size, dtype=torch.bool)))

    def forward(self, x):
        T = x.shape[1]
        wei = self.key(x) @ self.query(x).transpose(-2, -1) / math.sqrt(self.key.out_features)
        wei = wei.masked_fill(~self.allowed[:T, :T], float("-inf"))
        return wei.softmax(dim=-2).transpose(-2, -1) @ self.value(x)
