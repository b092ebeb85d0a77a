from typing import Optional

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class GINLayer(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.BatchNorm1d(2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        src, dst = edge_index
        msg = F.relu(x[src] + edge_attr)
        agg = torch.zeros_like(x).index_add(0, dst, msg)
        return self.mlp((1 + self.eps) * x + agg)


class MoleculeGNN(nn.Module):
    """Graph level property regression (atoms + bonds)."""

    def __init__(self, num_atom_types: int, num_bond_types: int, dim: int = 64, num_layers: int = 3, num_targets: int = 1):
        super().__init__()
        self.atom_emb = nn.Embedding(num_atom_types, dim)
        self.bond_emb = nn.Embedding(num_bond_types, dim)
        self.layers = nn.ModuleList([GINLayer(dim) for _ in range(num_layers)])
        self.readout = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, num_targets))

    def forward(self, x: Tensor, edge_index: Tensor, edge_type: Tensor, batch: Optional[Tensor] = None) -> Tensor:
        if batch is None:
            batch = torch.zeros_like(x)
        h, e = self.atom_emb(x), self.bond_emb(edge_type)
        for layer in self.layers:
            h = h + layer(h, edge_index, e)
        num_graphs = int(batch.max()) + 1
        pooled = h.new_zeros(num_graphs, h.size(-1)).index_add(0, batch, h)
        count = torch.bincount(batch, minlength=num_graphs).clamp(min=1).unsqueeze(-1)
        return self.readout(pooled / count)
