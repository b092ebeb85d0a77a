import torch
from torch import Tensor, nn


class BahdanauAttention(nn.Module):
    def __init__(self, query_dim: int, key_dim: int, units: int):
        super().__init__()
        self.query_layer = nn.Linear(query_dim, units, bias=False)
        self.key_layer = nn.Linear(key_dim, units, bias=False)
        self.energy = nn.Linear(units, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """query (B, Q), keys (B, T, K), lengths (B,)"""
        scores = self.energy(torch.tanh(self.query_layer(query).unsqueeze(1) + self.key_layer(keys))).squeeze(2)
        mask = torch.arange(keys.size(1), device=keys.device)[None, :] >= lengths[:, None]
        weights = scores.masked_fill(mask, float("-inf")).softmax(dim=-1)
        context = torch.bmm(weights.unsqueeze(1), keys).squeeze(1)
        return context, weights
