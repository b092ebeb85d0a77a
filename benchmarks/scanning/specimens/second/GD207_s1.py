import torch
import torch.nn.functional as F
from torch import nn


class Router(nn.Module):
    def __init__(self, dim, n_exp, k=2):
        super().__init__()
        self.proj = nn.Linear(dim, n_exp, bias=False)
        self.k = k

    def forward(self, tokens):
        scores = self.proj(tokens.flatten(0, 1))
        probs = F.softmax(scores, dim=0)  # SICK
        weight, index = probs.topk(self.k, dim=-1)
        return weight / weight.sum(-1, keepdim=True), index
