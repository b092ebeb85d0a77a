import torch
from torch import nn
from torch.nn import functional as fn


class LogMaskAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)

    def forward(self, x, keep):
        n = x.size(1)
        causal = torch.tril(torch.ones(n, n, device=x.device, dtype=x.dtype))
        keep = causal * keep.to(x.dtype).unsqueeze(1)
        scores = torch.bmm(self.q(x), self.k(x).mT) * self.q.out_features ** -0.5
        scores = scores + keep.log()
        return torch.bmm(fn.softmax(scores, dim=-1), self.v(x))
