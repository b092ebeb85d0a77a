import torch
import torch.nn as nn
import torch.nn.functional as F


class SimCLR(nn.Module):
    def __init__(self, base_encoder, feature_dim, projection_dim=64, temperature=0.5):
        super().__init__()
        self.encoder = base_encoder
        self.projector = nn.Sequential(
            nn.Linear(feature_dim, feature_dim, bias=False), nn.BatchNorm1d(feature_dim), nn.ReLU(),
            nn.Linear(feature_dim, projection_dim, bias=False),
        )
        self.temperature = temperature

    def forward(self, x_i, x_j):
        h_i, h_j = self.encoder(x_i), self.encoder(x_j)
        return h_i, h_j, self.projector(h_i), self.projector(h_j)

    def nt_xent(self, z_i, z_j):
        N = z_i.size(0)
        z = F.normalize(torch.cat([z_i, z_j]), dim=1)
        sim = z @ z.t() / self.temperature
        sim = sim.masked_fill(torch.eye(2 * N, dtype=torch.bool, device=z.device), float("-inf"))
        target = torch.cat([torch.arange(N, 2 * N), torch.arange(N)]).to(z.device)
        return F.cross_entropy(sim, target)
