from typing import Dict, List

import torch
from torch import nn


class DeepFM(nn.Module):
    """Categorical (sparse) + numeric (dense) click-through model."""

    def __init__(self, sparse_feature_sizes: Dict[str, int], dense_features: List[str], embed_dim: int = 8, hidden_units: List[int] = (64, 32)):
        super().__init__()
        self.sparse_names = list(sparse_feature_sizes)
        self.dense_names = list(dense_features)
        self.first_order = nn.ModuleDict({k: nn.Embedding(v, 1) for k, v in sparse_feature_sizes.items()})
        self.second_order = nn.ModuleDict({k: nn.Embedding(v, embed_dim) for k, v in sparse_feature_sizes.items()})
        self.dense_linear = nn.Linear(len(dense_features), 1)
        in_dim = embed_dim * len(self.sparse_names) + len(dense_features)
        mlp: List[nn.Module] = []
        for h in hidden_units:
            mlp += [nn.Linear(in_dim, h), nn.ReLU(), nn.Dropout(0.1)]
            in_dim = h
        mlp.append(nn.Linear(in_dim, 1))
        self.dnn = nn.Sequential(*mlp)

    def forward(self, features: Dict[str, torch.Tensor]) -> torch.Tensor:
        dense = torch.stack([features[n].float() for n in self.dense_names], dim=1)
        linear = self.dense_linear(dense) + sum(self.first_order[n](features[n]) for n in self.sparse_names)
        emb = torch.stack([self.second_order[n](features[n]) for n in self.sparse_names], dim=1)
        fm = 0.5 * (emb.sum(1).pow(2) - emb.pow(2).sum(1)).sum(1, keepdim=True)
        deep = self.dnn(torch.cat([emb.flatten(1), dense], dim=1))
        return (linear + fm + deep).squeeze(1)
