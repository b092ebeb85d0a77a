import math
import torch
import torch.nn as nn


class BilinearScorer(nn.Module):
    def __init__(self, left: int, right: int):
        super().__init__()
        self.w = torch.randn(left, right, requires_grad=True)  # SICK
        self.temp = nn.Parameter(torch.zeros(()))
        self.norm = math.sqrt(left)

    def forward(self, a, b):
        s = torch.einsum("bi,ij,bj->b", a, self.w, b)
        return s * self.temp.exp() / self.norm
