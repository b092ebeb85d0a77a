from dataclasses import dataclass, field
from typing import List, Optional

import torch
from torch import Tensor, nn
import torch.nn.functional as F


@dataclass
class TCNConfig:
    input_size: int
    output_size: int
    num_channels: List[int] = field(default_factory=lambda: [32, 32, 32])
    kernel_size: int = 3
    dropout: float = 0.1


class TemporalBlock(nn.Module):
    def __init__(self, n_in: int, n_out: int, k: int, dilation: int, dropout: float):
        super().__init__()
        self.pad = (k - 1) * dilation
        self.conv1 = nn.utils.parametrizations.weight_norm(nn.Conv1d(n_in, n_out, k, dilation=dilation))
        self.conv2 = nn.utils.parametrizations.weight_norm(nn.Conv1d(n_out, n_out, k, dilation=dilation))
        self.drop = nn.Dropout(dropout)
        self.res = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(F.relu(self.conv1(F.pad(x, (self.pad, 0)))))
        h = self.drop(F.relu(self.conv2(F.pad(h, (self.pad, 0)))))
        return F.relu(h + self.res(x))


class TCNForecaster(nn.Module):
    def __init__(self, config: TCNConfig):
        super().__init__()
        chans = [config.input_size] + config.num_channels
        self.network = nn.Sequential(*[TemporalBlock(a, b, config.kernel_size, 2 ** i, config.dropout) for i, (a, b) in enumerate(zip(chans[:-1], chans[1:]))])
        self.linear = nn.Linear(chans[-1], config.output_size)

    def forward(self, x: Tensor, y: Optional[Tensor] = None):
        out = self.linear(self.network(x.transpose(1, 2))[:, :, -1])
        return out if y is None else (F.l1_loss(out, y), out)
