import torch
import torch.nn as nn


class ChannelGate(nn.Module):
    """Squeeze-and-excite over channels of a (batch, time, channel) stream."""

    def __init__(self, d_model: int, seq: int):
        super().__init__()
        self.to_gate = nn.Linear(seq, 1)
        self.body = nn.Linear(d_model, d_model)

    def forward(self, x):
        pooled = self.to_gate(x.transpose(1, 2))
        gate = torch.sigmoid(pooled).transpose(1, 2)
        return gate * self.body(x) + (1 - gate) * x
