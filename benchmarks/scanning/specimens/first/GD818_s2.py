import math

from torch import Tensor, nn


class MultiHeadMixer(nn.Module):
    def __init__(self, d_model: int, h: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.h, self.d_k = h, d_model // h
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.normalise = nn.Softmax(dim=1)  # SICK
        self.dropout = nn.Dropout(dropout)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.h, self.d_k).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(x)), self.split(self.w_v(x))
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(self.d_k)
        weights = self.dropout(self.normalise(scores))
        out = (weights @ v).transpose(1, 2).contiguous()
        return self.w_o(out.view(x.shape[0], -1, self.h * self.d_k))
