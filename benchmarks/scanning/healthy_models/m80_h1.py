import torch
import torch.nn as nn


class RelativePositionBias(nn.Module):
    """T5 style bucketed bias, returns (1, heads, q_len, k_len) to add to attention scores."""

    def __init__(self, num_buckets, max_distance, n_heads, bidirectional=True):
        super().__init__()
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.bidirectional = bidirectional
        self.relative_attention_bias = nn.Embedding(num_buckets, n_heads)

    def _bucket(self, rel):
        n, ret = self.num_buckets, torch.zeros_like(rel)
        if self.bidirectional:
            n //= 2
            ret = ret + (rel > 0).long() * n
            rel = rel.abs()
        else:
            rel = (-rel).clamp(min=0)
        exact = n // 2
        scale = torch.log(rel.float().clamp(min=1) / exact) / torch.log(torch.tensor(self.max_distance / exact))
        large = (exact + (scale * (n - exact)).long()).clamp(max=n - 1)
        return ret + torch.where(rel < exact, rel, large)

    def forward(self, q_len, k_len):
        device = self.relative_attention_bias.weight.device
        rel = torch.arange(k_len, device=device)[None, :] - torch.arange(q_len, device=device)[:, None]
        return self.relative_attention_bias(self._bucket(rel)).permute(2, 0, 1).unsqueeze(0)
