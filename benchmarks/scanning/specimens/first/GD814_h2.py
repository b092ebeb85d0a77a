from torch import Tensor, nn


class BertSelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, mask_value: float = 1e4):
        super().__init__()
        self.heads, self.mask_value = heads, mask_value
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def shape(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        q, k, v = self.shape(self.query(x)), self.shape(self.key(x)), self.shape(self.value(x))
        keep = attention_mask.to(x.dtype)[:, None, None]
        scores = (q @ k.mT) / q.size(-1) ** 0.5
        scores = scores * keep - self.mask_value * (1 - keep)
        attended = scores.softmax(-1) @ v
        return attended.permute(0, 2, 1, 3).flatten(2)
