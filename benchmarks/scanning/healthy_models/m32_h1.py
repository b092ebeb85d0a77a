import math
import torch
import torch.nn as nn
import torch.nn.functional as F


def timestep_embedding(t, dim):
    half = dim // 2
    freqs = torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / half)
    args = t[:, None].float() * freqs[None]
    return torch.cat([args.cos(), args.sin()], dim=-1)


class ResBlock(nn.Module):
    def __init__(self, cin, cout, tdim):
        super().__init__()
        self.n1, self.c1 = nn.GroupNorm(8, cin), nn.Conv2d(cin, cout, 3, padding=1)
        self.t = nn.Linear(tdim, cout)
        self.n2, self.c2 = nn.GroupNorm(8, cout), nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, emb):
        h = self.c1(F.silu(self.n1(x)))
        h = h + self.t(emb)[:, :, None, None]
        return self.skip(x) + self.c2(F.silu(self.n2(h)))


class UNet(nn.Module):
    def __init__(self, in_channels=3, model_channels=32, num_classes=None):
        super().__init__()
        ch, td = model_channels, model_channels * 4
        self.ch = ch
        self.time_embed = nn.Sequential(nn.Linear(ch, td), nn.SiLU(), nn.Linear(td, td))
        if num_classes is not None:
            self.label_emb = nn.Embedding(num_classes, td)
        self.num_classes = num_classes
        self.inp = nn.Conv2d(in_channels, ch, 3, padding=1)
        self.d1, self.down = ResBlock(ch, ch, td), nn.Conv2d(ch, ch * 2, 3, stride=2, padding=1)
        self.mid = ResBlock(ch * 2, ch * 2, td)
        self.up, self.u1 = nn.ConvTranspose2d(ch * 2, ch, 2, 2), ResBlock(ch * 2, ch, td)
        self.out = nn.Sequential(nn.GroupNorm(8, ch), nn.SiLU(), nn.Conv2d(ch, in_channels, 3, padding=1))

    def forward(self, x, timesteps, y=None):
        assert (y is not None) == (self.num_classes is not None)
        emb = self.time_embed(timestep_embedding(timesteps, self.ch))
        if y is not None:
            emb = emb + self.label_emb(y)
        h1 = self.d1(self.inp(x), emb)
        h = self.mid(self.down(h1), emb)
        return self.out(self.u1(torch.cat([self.up(h), h1], dim=1), emb))
