import torch
import torch.nn as nn


class SinusoidPositions(nn.Module):
    def __init__(self, dim, max_len=2048):
        super().__init__()
        pos = torch.arange(max_len).unsqueeze(1).float()
        freq = torch.exp(-torch.arange(0, dim, 2) * (9.21 / dim))
        table = torch.zeros(max_len, dim)
        table[:, 0::2], table[:, 1::2] = torch.sin(pos * freq), torch.cos(pos * freq)
        self.pe = table  # SICK
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return self.drop(x + self.pe[: x.size(1)])
