import torch
import torch.nn as nn


class MaskedAttnPool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, x, keep):
        s = self.score(x).squeeze(-1)
        s.masked_fill_(~keep, float("-inf"))
        w = torch.empty_like(s)
        torch.softmax(s.detach(), dim=-1, out=w)
        self.last_weights = w
        return torch.einsum("bt,btd->bd", s.softmax(-1), x)
