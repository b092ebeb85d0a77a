import torch
import torch.nn as nn


class ChannelsToHeads(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels // heads)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x):
        b, c, t = x.shape
        h = x.transpose(1, 2).view(b, t, self.heads, c // self.heads)
        h = self.norm(h)
        flat = h.transpose(1, 2).flatten(0, 1)
        pooled = flat.mean(dim=1).view(b, c)
        gate = torch.sigmoid(self.mix(pooled)).view(b, c, 1)
        back = h.permute(0, 2, 3, 1).contiguous().view(b, c, t)
        return x + gate * back


if __name__ == "__main__":
    print(ChannelsToHeads(24, 3)(torch.randn(2, 24, 11)).shape)
