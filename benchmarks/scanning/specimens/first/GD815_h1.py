import torch
import torch.nn as nn


class ForecastDecoder(nn.Module):
    """Autoregressive forecaster of a multivariate series."""

    def __init__(self, channels, width=32, heads=4, depth=2):
        super().__init__()
        self.inp = nn.Linear(channels, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True) for _ in range(depth)
        )
        self.out = nn.Linear(width, channels)

    def forward(self, series, causal=True):
        extra = {}
        if causal:
            steps = series.size(1)
            extra["src_mask"] = torch.ones(steps, steps, dtype=torch.bool, device=series.device).triu(1)
        h = self.inp(series)
        for block in self.blocks:
            h = block(h, **extra)
        return self.out(h)
