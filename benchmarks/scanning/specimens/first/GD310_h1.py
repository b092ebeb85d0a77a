import torch
import torch.nn as nn


class TokenMixer(nn.Module):
    """MLP-Mixer: one MLP over patches, one over channels."""

    def __init__(self, patches, channels, hidden):
        super().__init__()
        self.patches, self.channels = patches, channels
        self.over_patches = nn.Sequential(nn.Linear(patches, hidden), nn.GELU(), nn.Linear(hidden, patches))
        self.over_channels = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))
        self.head = nn.Linear(patches * channels, 10)

    def forward(self, x):
        batch = x.size(0)
        swapped = x.transpose(1, 2)
        rows = swapped.contiguous().view(batch * self.channels, self.patches)
        mixed = self.over_patches(rows).view(batch, self.channels, self.patches)
        x = x + mixed.transpose(1, 2)
        x = x + self.over_channels(x)
        packed = torch.transpose(x, 1, 2).clone(memory_format=torch.contiguous_format)
        return self.head(packed.view(batch, -1))
