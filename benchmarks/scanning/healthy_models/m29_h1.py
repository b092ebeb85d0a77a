from typing import NamedTuple

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class VQOutput(NamedTuple):
    recon: Tensor
    loss: Tensor
    codes: Tensor


class VQVAE(nn.Module):
    def __init__(self, in_channels: int = 3, hidden: int = 64, num_codes: int = 128, code_dim: int = 32, commitment: float = 0.25):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 4, 2, 1), nn.ReLU(), nn.Conv2d(hidden, hidden, 4, 2, 1), nn.ReLU(), nn.Conv2d(hidden, code_dim, 1)
        )
        self.codebook = nn.Embedding(num_codes, code_dim)
        nn.init.uniform_(self.codebook.weight, -1 / num_codes, 1 / num_codes)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(code_dim, hidden, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(hidden, in_channels, 4, 2, 1)
        )
        self.commitment = commitment

    def quantize(self, z: Tensor):
        flat = z.permute(0, 2, 3, 1)
        d = torch.cdist(flat.reshape(-1, flat.size(-1)), self.codebook.weight)
        codes = d.argmin(dim=1).view(flat.shape[:-1])
        q = self.codebook(codes).permute(0, 3, 1, 2)
        loss = F.mse_loss(q, z.detach()) + self.commitment * F.mse_loss(z, q.detach())
        return z + (q - z).detach(), codes, loss

    def forward(self, x: Tensor) -> VQOutput:
        q, codes, vq_loss = self.quantize(self.encoder(x))
        recon = self.decoder(q)
        return VQOutput(recon, F.mse_loss(recon, x) + vq_loss, codes)
