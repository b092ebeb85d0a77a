import torch
from torch import nn


class MaskedEncoderAttention(nn.Module):
    """HF-flavoured attention that takes the tokenizer's attention_mask."""

    penalty = -5.0

    def __init__(self, hidden_size, num_attention_heads):
        super().__init__()
        self.num_heads = num_attention_heads
        self.head_size = hidden_size // num_attention_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.dense = nn.Linear(hidden_size, hidden_size)

    def get_extended_attention_mask(self, attention_mask, dtype):
        extended = attention_mask[:, None, None, :].to(dtype=dtype)
        return (1.0 - extended) * self.penalty  # SICK

    def forward(self, hidden_states, attention_mask):
        b, n, d = hidden_states.shape
        qkv = self.qkv(hidden_states).view(b, n, self.num_heads, 3 * self.head_size)
        query, key, value = qkv.transpose(1, 2).split(self.head_size, dim=-1)
        scores = torch.matmul(query, key.mT) * self.head_size ** -0.5
        scores = scores + self.get_extended_attention_mask(attention_mask, scores.dtype)
        context = torch.matmul(scores.softmax(-1), value)
        return self.dense(context.transpose(1, 2).reshape(b, n, d))
