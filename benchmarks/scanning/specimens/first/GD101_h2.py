import torch
import torch.nn.functional as fn
from torch import nn


class EMAQuantizer(nn.Module):
    """Codebook learned by moving averages; the encoder gets its gradient straight through."""

    def __init__(self, num_codes: int, dim: int, decay: float = 0.99):
        super().__init__()
        self.decay = decay
        self.register_buffer("codebook", torch.randn(num_codes, dim))
        self.register_buffer("counts", torch.ones(num_codes))
        self.register_buffer("sums", self.codebook.clone())

    def _update(self, flat, codes):
        with torch.no_grad():
            onehot = fn.one_hot(codes, self.codebook.size(0)).to(flat.dtype)
            self.counts.mul_(self.decay).add_(onehot.sum(0), alpha=1 - self.decay)
            self.sums.mul_(self.decay).add_(onehot.t() @ flat, alpha=1 - self.decay)
            self.codebook.copy_(self.sums / self.counts.clamp(min=1e-5).unsqueeze(1))

    def forward(self, z):
        flat = z.reshape(-1, z.size(-1))
        with torch.no_grad():
            codes = torch.cdist(flat, self.codebook).argmin(dim=1)
        quantized = fn.embedding(codes, self.codebook).view_as(z)
        commit = fn.mse_loss(z, quantized)
        if self.training:
            self._update(flat, codes)
        return z + (quantized - z).detach(), commit
