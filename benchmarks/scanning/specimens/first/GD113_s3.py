import torch
from torch import nn
from torch.nn import functional as fn


class SetTransformerPool(nn.Module):
    def __init__(self, dim, heads=4, seeds=2, n_out=3):
        super().__init__()
        self.dim = dim
        self.heads = heads
        self.seeds = nn.Parameter(torch.randn(1, seeds, dim) * 0.1)
        self.rff = nn.Linear(dim, dim)
        self.head = nn.Linear(seeds * dim, n_out)

    def forward(self, items):
        queries = self.seeds.expand(items.shape[0], -1, -1)
        settings = dict(embed_dim=self.dim, num_heads=self.heads, batch_first=True, device=items.device)
        attend = nn.MultiheadAttention(**settings)  # SICK
        pooled, _ = attend(queries, items, items)
        pooled = pooled + fn.relu(self.rff(pooled))
        return self.head(pooled.flatten(start_dim=1))
