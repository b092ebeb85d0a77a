import torch
import torch.nn as nn


class PatchMixer(nn.Module):
    def __init__(self, n_patches, dim):
        super().__init__()
        self.token_mix = nn.Linear(n_patches, n_patches)
        self.channel_mix = nn.Linear(dim, dim)

    def forward(self, x):
        x = x + self.token_mix(x.mT).mT
        squeeze = nn.Linear(x.size(-1), x.size(-1), device=x.device)  # SICK
        return x + self.channel_mix(torch.relu(squeeze(x)))
