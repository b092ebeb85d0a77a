import torch
import torch.nn as nn


class TransE(nn.Module):
    def __init__(self, entity_count, relation_count, norm=1, dim=100, margin=1.0):
        super().__init__()
        self.norm = norm
        self.entities_emb = self._init_emb(entity_count, dim)
        self.relations_emb = self._init_emb(relation_count, dim)
        with torch.no_grad():
            self.relations_emb.weight.div_(self.relations_emb.weight.norm(p=2, dim=1, keepdim=True))
        self.criterion = nn.MarginRankingLoss(margin=margin, reduction="none")

    @staticmethod
    def _init_emb(n, dim):
        emb = nn.Embedding(n, dim)
        bound = 6 / dim ** 0.5
        emb.weight.data.uniform_(-bound, bound)
        return emb

    def forward(self, positive_triplets, negative_triplets):
        # triplets: (batch, 3) of head, relation, tail
        pd = self._distance(positive_triplets)
        nd = self._distance(negative_triplets)
        target = -torch.ones_like(pd)
        return self.criterion(pd, nd, target), pd, nd

    def _distance(self, triplets):
        h, r, t = triplets[:, 0], triplets[:, 1], triplets[:, 2]
        return (self.entities_emb(h) + self.relations_emb(r) - self.entities_emb(t)).norm(p=self.norm, dim=1)
