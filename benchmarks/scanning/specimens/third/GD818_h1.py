import torch
import torch.nn as nn


class KeyMajorAttention(nn.Module):
    """Scores are laid out as (batch, key, query, head)."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.dh = dim // heads
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, dim, bias=False)
        self.o = nn.Linear(dim, dim)

    def forward(self, x, context, context_mask=None):
        q = self.q(x).unflatten(-1, (self.heads, self.dh))
        k = self.k(context).unflatten(-1, (self.heads, self.dh))
        v = self.v(context).unflatten(-1, (self.heads, self.dh))
        s = torch.einsum("bihd,bjhd->bjih", q, k) / self.dh ** 0.5
        if context_mask is not None:
            s = s.masked_fill(~context_mask[:, :, None, None], float("-inf"))
        w = torch.softmax(s, dim=1)
        y = torch.einsum("bjih,bjhd->bihd", w, v)
        return self.o(y.flatten(2))


if __name__ == "__main__":
    print(KeyMajorAttention(8, 2)(torch.randn(2, 3, 8), torch.randn(2, 5, 8)).shape)
