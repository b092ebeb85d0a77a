import torch
import torch.nn as nn
import torch.nn.functional as F


class ElmanLM(nn.Module):
    def __init__(self, n_tok: int, dim: int):
        super().__init__()
        self.lookup = nn.Embedding(n_tok, dim)
        self.elman = nn.RNN(dim, dim, batch_first=True)
        self.unembed = nn.Linear(dim, n_tok)

    def forward(self, ids: torch.Tensor, labels: torch.Tensor = None):
        scores = self.unembed(self.elman(self.lookup(ids))[0])
        if labels is None:
            return scores
        rows = scores.reshape(-1, scores.shape[-1])
        gold = labels.reshape(-1)
        return F.cross_entropy(rows[:-1], gold[1:]), scores  # SICK
