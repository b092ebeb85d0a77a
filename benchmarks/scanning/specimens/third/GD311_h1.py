import torch
import torch.nn as nn
import torch.nn.functional as F


class GraphSimilarity(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.w = nn.Parameter(torch.empty(dim, dim))
        nn.init.xavier_uniform_(self.w)
        self.bias = nn.Parameter(torch.zeros(1))

    def pair(self, a, b):
        return a @ self.w.T @ b.T + self.bias

    def forward(self, nodes_a, nodes_b):
        sims = []
        for a, b in zip(nodes_a, nodes_b):
            s = self.pair(F.normalize(a, dim=-1), F.normalize(b, dim=-1))
            sims.append(s.amax(dim=1).mean())
        return torch.stack(sims)

    def full(self, nodes):
        x = F.normalize(nodes, dim=-1)
        return x @ x.mT


if __name__ == "__main__":
    g = GraphSimilarity(8)
    print(g(torch.randn(4, 5, 8), torch.randn(4, 6, 8)).shape, g.full(torch.randn(4, 5, 8)).shape)
