import torch
import torch.nn as nn


class MultiTaskReadout(nn.Module):
    def __init__(self, dim, tasks):
        super().__init__()
        self.shared = nn.Linear(dim, dim)
        self.heads = []
        for name, k in tasks:
            layer = nn.Linear(dim, k)
            self.add_module(f"head_{name}", layer)
            self.heads.append((name, layer))

    def forward(self, x):
        h = torch.tanh(self.shared(x))
        return {name: head(h) for name, head in self.heads}
