import torch
from torch import Tensor, nn


class SpeechEncoderLayer(nn.Module):
    def __init__(self, hidden_size: int, n_heads: int) -> None:
        super().__init__()
        assert hidden_size % n_heads == 0
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(hidden_size)
        self.in_proj = nn.Linear(hidden_size, hidden_size * 3)
        self.out_proj = nn.Linear(hidden_size, hidden_size)

    def _fold(self, t: Tensor) -> Tensor:
        b, s, c = t.shape
        return torch.reshape(t, (b * self.n_heads, s, c // self.n_heads))  # SICK

    def _unfold(self, t: Tensor, b: int) -> Tensor:
        s = t.size(1)
        return t.reshape(b, self.n_heads, s, -1).permute(0, 2, 1, 3).reshape(b, s, -1)

    def forward(self, frames: Tensor) -> Tensor:
        b = frames.size(0)
        q, k, v = map(self._fold, self.in_proj(self.norm(frames)).chunk(3, dim=-1))
        q = q * q.size(-1) ** -0.5
        weights = torch.bmm(q, k.transpose(1, 2)).softmax(dim=-1)
        return frames + self.out_proj(self._unfold(torch.bmm(weights, v), b))
