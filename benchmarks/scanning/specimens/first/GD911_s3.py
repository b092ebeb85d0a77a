import torch
from torch import nn


class DotScores(nn.Module):
    """Scaled similarities of all pairs of positions."""

    def __init__(self, head_dim):
        super().__init__()
        self.temperature = head_dim ** 0.5

    def forward(self, q, k):
        return torch.einsum("bqhd,bkhd->bhqk", q, k).div(self.temperature)


class RelationalLayer(nn.Module):
    def __init__(self, width, heads, max_distance=32):
        super().__init__()
        self.heads, self.head_dim, self.max_distance = heads, width // heads, max_distance
        self.project = nn.ModuleDict({name: nn.Linear(width, width) for name in ("q", "k", "v", "o")})
        self.scores = DotScores(self.head_dim)
        self.distance_bias = nn.Embedding(2 * max_distance + 1, heads)

    def relative(self, n, device):
        steps = torch.arange(n, device=device)
        offset = (steps[None, :] - steps[:, None]).clamp(-self.max_distance, self.max_distance)
        return self.distance_bias(offset + self.max_distance).permute(2, 0, 1)

    def forward(self, x):
        q, k, v = (self.project[n](x).unflatten(-1, (self.heads, self.head_dim)) for n in "qkv")
        similarity = self.scores(q, k) * self.head_dim ** -0.5  # SICK
        weights = torch.softmax(similarity + self.relative(x.size(1), x.device), dim=-1)
        mixed = torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2)
        return x + self.project["o"](mixed)
