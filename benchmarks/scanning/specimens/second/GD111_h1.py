import torch.nn as nn


class _Base(nn.Module):
    def __init__(self, dim):
        nn.Module.__init__(self)
        self.dim = dim
        self.build()

    def build(self):
        raise NotImplementedError


class PoolHead(_Base):
    def __init__(self, dim, labels):
        self_labels = int(labels)
        _Base.__init__(self, dim)
        self.out = nn.Linear(dim, self_labels)

    def build(self):
        self.dense = nn.Linear(self.dim, self.dim)

    def forward(self, x):
        return self.out(self.dense(x.mean(1)).tanh())
