import torch
import torch.nn as nn


class MultiTaskHead(nn.Module):
    def __init__(self, dim, tasks):
        super().__init__()
        self.shared = nn.Linear(dim, dim)
        self.heads = {name: nn.Linear(dim, k) for name, k in tasks.items()}  # SICK

    def forward(self, x):
        h = torch.tanh(self.shared(x))
        return {name: head(h) for name, head in self.heads.items()}


if __name__ == "__main__":
    m = MultiTaskHead(16, {"age": 1, "sex": 2})
    print(m(torch.randn(3, 16))["sex"].shape)
