import torch
import torch.nn as nn


class GatedExperts(nn.Module):
    def __init__(self, dim, ff, num_experts=6, k=2):
        super().__init__()
        self.k = k
        self.score = nn.Parameter(torch.randn(dim, num_experts) / dim ** 0.5)
        self.up = nn.Parameter(torch.randn(num_experts, dim, ff) / dim ** 0.5)
        self.down = nn.Parameter(torch.randn(num_experts, ff, dim) / ff ** 0.5)

    def forward(self, x):
        n, d = x.shape
        top, picked = (x @ self.score).topk(self.k, dim=-1)
        top = top.softmax(dim=-1)

        order = picked.flatten().argsort(stable=True)
        rows = order // self.k
        counts = torch.bincount(picked.flatten(), minlength=self.up.size(0)).tolist()

        pieces = []
        for e, chunk in enumerate(x[rows].split(counts)):
            pieces.append(torch.relu(chunk @ self.up[e]) @ self.down[e])
        y = torch.cat(pieces) * top.flatten()[order].unsqueeze(-1)
        return torch.zeros_like(x).index_add(0, rows, y)


if __name__ == "__main__":
    print(GatedExperts(16, 32)(torch.randn(10, 16)).shape)
