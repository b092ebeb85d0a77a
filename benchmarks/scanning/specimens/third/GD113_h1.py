import torch
import torch.nn as nn


class PairScorer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.left = nn.Linear(dim, dim)
        self.right = nn.Linear(dim, dim)
        self.final = None
        self.dim = dim
        self.build(n_out=1)

    def build(self, n_out):
        self.final = nn.Sequential(nn.Linear(self.dim, self.dim // 2), nn.ReLU(), nn.Linear(self.dim // 2, n_out))

    def forward(self, a, b, target=None):
        act = nn.GELU()
        h = act(self.left(a)) * act(self.right(b))
        score = self.final(h).squeeze(-1)
        sim = nn.CosineSimilarity(dim=-1)(a, b)
        score = score + sim
        if target is not None:
            loss_fn = nn.BCEWithLogitsLoss()
            return score, loss_fn(score, target)
        return score
