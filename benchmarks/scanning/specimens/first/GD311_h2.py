import torch
from torch import nn


class RaggedSimilarity(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim, dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, seqs, lengths):
        maps = []
        for seq, n in zip(seqs, lengths.tolist()):
            rows = seq[:n] @ self.weight.T
            maps.append(torch.sigmoid(rows @ seq[:n].t()))
        return maps

    def flat_scores(self, seqs):
        b, t, d = seqs.shape
        table = seqs.reshape(b * t, d)
        return (table @ self.weight) @ table.T


if __name__ == "__main__":
    sim = RaggedSimilarity(16)
    out = sim(torch.randn(3, 5, 16), torch.tensor([5, 3, 2]))
    print([tuple(m.shape) for m in out])
