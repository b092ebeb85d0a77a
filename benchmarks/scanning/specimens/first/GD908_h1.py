from torch import nn


class FoldedScaleAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.merge = nn.Linear(width, width)

    def split(self, x, factor=1.0):
        return x.mul(factor).unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)

    def forward(self, x):
        q = self.split(self.query(x), factor=self.head_width ** -0.5)
        k = self.split(self.key(x))
        v = self.split(self.value(x))
        weights = (q @ k.mT).softmax(dim=-1)
        return self.merge((weights @ v).transpose(1, 2).flatten(2))
