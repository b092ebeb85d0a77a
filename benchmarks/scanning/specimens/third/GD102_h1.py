import torch
from torch import nn
from torch.nn import functional as F


class VectorQuantizer(nn.Module):
    def __init__(self, num_codes=512, code_dim=64, beta=0.25):
        super().__init__()
        self.codebook = nn.Embedding(num_codes, code_dim)
        nn.init.uniform_(self.codebook.weight, -1.0 / num_codes, 1.0 / num_codes)
        self.beta = beta

    def forward(self, z):
        flat = z.reshape(-1, z.size(-1))
        dist = torch.cdist(flat, self.codebook.weight)
        codes = dist.argmin(dim=-1)
        q = self.codebook(codes).view_as(z)

        commit = F.mse_loss(z, q.detach())
        codebook = F.mse_loss(q, z.detach())
        loss = codebook + self.beta * commit

        q = z + (q - z).detach()
        return q, codes.view(z.shape[:-1]), loss
