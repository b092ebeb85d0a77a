import torch
from torch import nn


class SpectrumVQ(nn.Module):
    def __init__(self, bins: int, codes: int, dim: int):
        super().__init__()
        self.lift = nn.Linear(bins, dim)
        self.codes = nn.Embedding(codes, dim)
        self.out = nn.Linear(dim, bins)

    def forward(self, spec):
        z = self.lift(spec)
        idx = torch.cdist(z, self.codes.weight).argmin(dim=-1)
        q = self.codes(idx)
        vq = ((q - z.detach()) ** 2).mean() + 0.25 * ((z - q.detach()) ** 2).mean()
        st = z + (q - z).detach()
        recon = self.out(st)
        return recon, ((recon - spec) ** 2).mean() + vq
