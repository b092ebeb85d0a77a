import torch
import torch.nn as nn


class AngleTable(nn.Module):
    def __init__(self, dim, max_len=2048):
        super().__init__()
        pos = torch.arange(max_len).unsqueeze(1).float()
        freq = torch.exp(-torch.arange(0, dim, 2) * (9.21 / dim))
        for name, fn in (("sin", torch.sin), ("cos", torch.cos)):
            self.register_buffer(name, fn(pos * freq), persistent=False)

    def forward(self, x):
        t = x.size(1)
        pe = torch.stack((self.sin[:t], self.cos[:t]), dim=-1).flatten(-2)
        return x + pe
