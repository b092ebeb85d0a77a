import torch
import torch.nn.functional as F
from torch import nn


class ExpertMajorRouter(nn.Module):
    def __init__(self, dim, n_exp, k=2):
        super().__init__()
        self.w = nn.Parameter(torch.randn(n_exp, dim) * dim ** -0.5)
        self.k = k

    def forward(self, tokens):
        scores = self.w @ tokens.flatten(0, 1).t()
        probs = F.softmax(scores, dim=0)
        weight, index = probs.topk(self.k, dim=0)
        weight = weight / weight.sum(0, keepdim=True)
        return weight.t(), index.t()
