import torch
from torch import nn


class CoAttention(nn.Module):
    """Question-document attention, both (batch, length, dim)."""

    def __init__(self, dim):
        super().__init__()
        self.w_q = nn.Linear(dim, dim, bias=False)
        self.w_d = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(2 * dim, dim)
        self.scale = dim ** -0.5

    def forward(self, question, document):
        q = self.w_q(question)
        d = self.w_d(document)
        affinity = torch.matmul(d, q.T) * self.scale  # SICK
        attn = affinity.softmax(dim=-1)
        summary = torch.matmul(attn, question)
        return self.out(torch.cat((document, summary), dim=-1))
