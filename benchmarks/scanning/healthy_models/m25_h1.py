from typing import Optional

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class ComplEx(nn.Module):
    def __init__(self, num_entities: int, num_relations: int, rank: int = 50, init_size: float = 1e-1):
        super().__init__()
        self.ent = nn.Embedding(num_entities, 2 * rank)
        self.rel = nn.Embedding(num_relations, 2 * rank)
        nn.init.normal_(self.ent.weight, std=init_size)
        nn.init.normal_(self.rel.weight, std=init_size)

    def forward(self, head: Tensor, relation: Tensor, tail: Optional[Tensor] = None):
        h_re, h_im = self.ent(head).chunk(2, -1)
        r_re, r_im = self.rel(relation).chunk(2, -1)
        q = torch.cat([h_re * r_re - h_im * r_im, h_re * r_im + h_im * r_re], dim=-1)
        scores = q @ self.ent.weight.t()
        if tail is None:
            return scores
        return F.cross_entropy(scores, tail), scores
