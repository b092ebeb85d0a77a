import torch
from torch import nn


def xavier(*shape):
    return nn.init.xavier_uniform_(torch.empty(*shape))


class RelationalScorer(nn.Module):
    """DistMult with one full matrix a relation."""

    def __init__(self, n_entities, n_relations, dim=50):
        super().__init__()
        self.entities = nn.Embedding(n_entities, dim)
        self.relations = [xavier(dim, dim) for _ in range(n_relations)]  # SICK
        self.bias = nn.Parameter(torch.zeros(n_relations))

    def forward(self, head, relation, tail):
        h = self.entities(head)
        t = self.entities(tail)
        m = torch.stack(self.relations)[relation]
        return torch.einsum("bi,bij,bj->b", h, m, t) + self.bias[relation]

    def loss(self, head, relation, tail, is_true):
        scores = self(head, relation, tail)
        return nn.functional.binary_cross_entropy_with_logits(scores, is_true.float())
