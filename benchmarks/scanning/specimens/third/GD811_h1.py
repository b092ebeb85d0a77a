import torch
import torch.nn as nn
import torch.nn.functional as F


def additive(keep: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """1/0 attention mask as in tokenizers -> numbers to add to the scores."""
    return (1.0 - keep.to(dtype)) * torch.finfo(dtype).min


class PaddedAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(dim, dim) for _ in range(4))

    def split(self, t):
        return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, attention_mask):
        mask = additive(attention_mask, x.dtype)[:, None, None, :]
        q, k, v = map(self.split, (self.wq(x), self.wk(x), self.wv(x)))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.wo(y.transpose(1, 2).flatten(2))


if __name__ == "__main__":
    keep = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    print(PaddedAttention(8, 2)(torch.randn(2, 4, 8), keep).shape)
