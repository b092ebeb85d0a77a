import torch
import torch.nn as nn


class MLPMixerLayer(nn.Module):
    def __init__(self, n_tokens, dim, expansion=4):
        super().__init__()
        self.token_norm = nn.LayerNorm(dim)
        self.token_mlp = nn.Sequential(
            nn.Linear(n_tokens, n_tokens * expansion), nn.GELU(), nn.Linear(n_tokens * expansion, n_tokens)
        )
        self.chan_norm = nn.LayerNorm(dim)
        self.chan_mlp = nn.Sequential(
            nn.Linear(dim, dim * expansion), nn.GELU(), nn.Linear(dim * expansion, dim)
        )

    def forward(self, x):
        y = self.token_mlp(self.token_norm(x).transpose(1, 2)).transpose(1, 2)
        x = x + y
        return x + self.chan_mlp(self.chan_norm(x))


class Mixer(nn.Module):
    def __init__(self, n_tokens=64, dim=128, depth=8, n_classes=10, patch_dim=48):
        super().__init__()
        self.embed = nn.Linear(patch_dim, dim)
        self.blocks = nn.ModuleList([MLPMixerLayer(n_tokens, dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, n_classes)

    def forward(self, patches):
        x = self.embed(patches)
        x = self.blocks(x)  # SICK
        return self.head(self.norm(x).mean(dim=1))
