from typing import Dict, Optional

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class TwoTowerRetrieval(nn.Module):
    def __init__(self, user_features: Dict[str, int], item_features: Dict[str, int], embed_dim: int = 16, out_dim: int = 32, temperature: float = 0.1):
        super().__init__()
        self.user_embs = nn.ModuleDict({k: nn.Embedding(n, embed_dim) for k, n in user_features.items()})
        self.item_embs = nn.ModuleDict({k: nn.Embedding(n, embed_dim) for k, n in item_features.items()})
        self.user_tower = nn.Sequential(nn.Linear(embed_dim * len(user_features), 64), nn.ReLU(), nn.Linear(64, out_dim))
        self.item_tower = nn.Sequential(nn.Linear(embed_dim * len(item_features), 64), nn.ReLU(), nn.Linear(64, out_dim))
        self.temperature = temperature

    def encode_user(self, user: Dict[str, Tensor]) -> Tensor:
        return F.normalize(self.user_tower(torch.cat([e(user[k]) for k, e in self.user_embs.items()], -1)), dim=-1)

    def encode_item(self, item: Dict[str, Tensor]) -> Tensor:
        return F.normalize(self.item_tower(torch.cat([e(item[k]) for k, e in self.item_embs.items()], -1)), dim=-1)

    def forward(self, user: Dict[str, Tensor], item: Dict[str, Tensor], item_log_prob: Optional[Tensor] = None) -> Tensor:
        """In-batch sampled softmax with optional logQ correction."""
        logits = self.encode_user(user) @ self.encode_item(item).t() / self.temperature
        if item_log_prob is not None:
            logits = logits - item_log_prob
        return F.cross_entropy(logits, torch.arange(logits.size(0), device=logits.device))
