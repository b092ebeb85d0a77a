import torch
import torch.nn as nn


class SiameseEncoder(nn.Module):
    def __init__(self, in_dim, emb):
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(in_dim, emb), nn.ReLU(), nn.Linear(emb, emb))

    def forward(self, pair):
        left, right = pair
        u = self.branch(left)
        v = self.branch.forward(right)  # SICK
        return torch.cosine_similarity(u, v, dim=-1)
