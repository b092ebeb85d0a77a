from torch import einsum, nn
from torch.nn import functional as fn


class KeyMajorAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width)

    def forward(self, x, memory):
        q = self.q(x).unflatten(2, (self.heads, -1))
        k = self.k(memory).unflatten(2, (self.heads, -1))
        v = self.v(memory).unflatten(2, (self.heads, -1))
        affinity = einsum("bshd,bthd->bsth", k, q) * k.size(-1) ** -0.5
        weights = fn.softmax(affinity, dim=1)
        return self.o(einsum("bsth,bshd->bthd", weights, v).flatten(2))
