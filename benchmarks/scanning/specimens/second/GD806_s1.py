import math
import torch
import torch.nn as nn


class CausalHead(nn.Module):
    def __init__(self, n_embd, head_size, block_size):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer("tril", torch.tril(torch.ones(block_size, block_size)))

    def forward(self, x):
        T = x.shape[1]
        wei = self.query(x) @ self.key(x).transpose(-2, -1) / math.sqrt(self.key.out_features)
        wei = wei.masked_fill(self.tril[:T, :T] == 1, float("-1e9"))  # SICK
        return wei.softmax(dim=-1) @ self.value(x)
